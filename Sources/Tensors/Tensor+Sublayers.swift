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
  /// 1 / (1 + e⁻ˣ).
  public var sigmoid: Tensor { Tensor { ct_sigmoid(handle, $0) } }
  /// log(1 + eˣ).
  public var softplus: Tensor { Tensor { ct_softplus(handle, $0) } }

  /// x · Φ(x), or its tanh approximation (Hendrycks and Gimpel 2016).
  public func gelu(tanhApproximation: Bool) -> Tensor {
    Tensor { ct_gelu(handle, tanhApproximation, $0) }
  }

  /// max(x, 0)/x: 1 above 0, else 0.
  package var reluRatio: Tensor { Tensor { ct_relu_ratio(handle, $0) } }

  /// gelu(x)/x: Φ(x), or what the tanh approximation has for it.
  package func geluRatio(tanhApproximation: Bool) -> Tensor {
    Tensor { ct_gelu_ratio(handle, tanhApproximation, $0) }
  }

  /// tanh(x)/x, 1 at 0.
  package var tanhRatio: Tensor { Tensor { ct_tanh_ratio(handle, $0) } }

  /// The selective scan of a state-space model (Gu and Dao 2023), for x [batch, position, channel].
  ///
  ///     h_t = exp(decay · step_t) h_{t−1} + step_t x_t input_t;   y_t = output_t · h_t + skip · x_t
  ///
  /// - Parameters:
  ///   - step: above 0, of the shape of x.
  ///   - decay: [channel, state], not above 0.
  ///   - input: [batch, position, state].
  ///   - output: [batch, position, state].
  ///   - skip: [channel].
  ///   - state: h before the first position, [batch, channel, state].
  /// - Returns: y, of the shape of x, and h after the last position.
  public func selectiveScan(
    step: Tensor, decay: Tensor, input: Tensor, output: Tensor, skip: Tensor, from state: Tensor
  ) -> (values: Tensor, state: Tensor) {
    let made = Tensor.several(2) {
      ct_selective_scan(
        handle, step.handle, decay.handle, input.handle, output.handle, skip.handle, state.handle,
        $0)
    }
    return (made[0], made[1])
  }
}
