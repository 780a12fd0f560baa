internal import CTorch

// Published sublayers that the engine computes in one call.
extension Tensor {
  /// x · weightᵀ + bias, for `weight` [out, in].
  public func linear(_ weight: Tensor, bias: Tensor? = nil) -> Tensor {
    Tensor { ct_linear(handle, weight.handle, bias?.handle, $0) }
  }

  /// x / √(mean(x²) + ε) · weight over the last dimension (Zhang and Sennrich 2019).
  public func rmsNorm(_ weight: Tensor, epsilon: Double) -> Tensor {
    Tensor { ct_rms_norm(handle, weight.handle, epsilon, $0) }
  }

  /// (x − mean) / √(variance + ε) · weight + bias over the last dimension (Ba and others 2016).
  public func layerNorm(_ weight: Tensor, bias: Tensor?, epsilon: Double) -> Tensor {
    Tensor { ct_layer_norm(handle, weight.handle, bias?.handle, epsilon, $0) }
  }

  /// Rotary position embedding (Su and others 2021) of pairs (i, i + half).
  ///
  /// - Parameters:
  ///   - cosine: [position, half]; dimensions past 2 · half pass through.
  ///   - sine: [position, half].
  /// - Returns: for x [batch, position, heads, headWidth], the same shape.
  public func rotated(cosine: Tensor, sine: Tensor) -> Tensor {
    Tensor { ct_rotate(handle, cosine.handle, sine.handle, $0) }
  }

  /// softmax(q·kᵀ·scale + mask) · v in one call, for q [batch, heads, position, headWidth].
  ///
  /// - Parameters:
  ///   - query: q.
  ///   - key: k, with as many heads as q or a divisor of that.
  ///   - value: v, of the shape of k.
  ///   - mask: added to the scores; −∞ where a key may not be seen.
  ///   - causal: whether query i sees keys 0…i; `mask` must be nil then.
  ///   - scale: usually 1/√headWidth.
  /// - Returns: [batch, heads, position, headWidth].
  public static func attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor?, causal: Bool, scale: Double
  ) -> Tensor {
    Tensor {
      ct_attention(query.handle, key.handle, value.handle, mask?.handle, causal, scale, $0)
    }
  }

  /// x · σ(x).
  public var silu: Tensor { Tensor { ct_silu(handle, $0) } }
  /// max(x, 0).
  public var relu: Tensor { Tensor { ct_relu(handle, $0) } }

  /// x · Φ(x), or its tanh approximation (Hendrycks and Gimpel 2016).
  public func gelu(tanhApproximation: Bool) -> Tensor {
    Tensor { ct_gelu(handle, tanhApproximation, $0) }
  }
}
