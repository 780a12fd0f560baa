internal import CTorch

/// Adam (Kingma and Ba 2015) with AMSGrad (Reddi and others 2018), as libtorch computes it.
public final class Adam {
  private let handle: ct_adam?
  private let count: Int

  /// How a parameter's changes are decided.
  public struct Options: Sendable, Equatable {
    /// The memory of the mean gradient.
    public var beta1 = 0.9
    /// The memory of the mean squared gradient.
    public var beta2 = 0.999
    /// What keeps a quotient from dividing by 0.
    public var epsilon = 1e-8
    /// The pull of parameters towards 0, added to their gradients.
    public var weightDecay = 0.0

    /// The defaults.
    public init() {}
  }

  /// A parameter with what Adam remembers of its gradients.
  public struct State {
    /// The parameter.
    public var parameter: Tensor
    /// The running mean of the gradient.
    public var mean: Tensor
    /// The running mean of its square.
    public var square: Tensor
    /// The largest that was.
    public var largestSquare: Tensor

    /// Gathers the values.
    public init(parameter: Tensor, mean: Tensor, square: Tensor, largestSquare: Tensor) {
      self.parameter = parameter
      self.mean = mean
      self.square = square
      self.largestSquare = largestSquare
    }
  }

  /// Starts from copies of these parameters.
  public init(_ parameters: [Tensor], _ options: Options = Options()) {
    count = parameters.count
    let handles = parameters.map(\.handle)
    var made: ct_adam?
    withExtendedLifetime(parameters) {
      check(
        ct_adam_make(
          handles, Int32(handles.count), options.beta1, options.beta2, options.epsilon,
          options.weightDecay, &made))
    }
    handle = made
  }

  deinit { if let handle { ct_adam_free(handle) } }

  /// The parameters themselves: later steps change what is in them.
  public var parameters: [Tensor] {
    (0..<count).map { index in Tensor { ct_adam_parameter(handle, Int32(index), $0) } }
  }

  /// Changes the parameters by their gradients.
  ///
  /// - Parameters:
  ///   - gradients: one per parameter, of its shape.
  ///   - learningRate: of this step.
  public func step(_ gradients: [Tensor], learningRate: Double) {
    precondition(gradients.count == count, "\(gradients.count) gradients of \(count) parameters")
    let handles = gradients.map(\.handle)
    withExtendedLifetime(gradients) { check(ct_adam_step(handle, handles, learningRate)) }
  }

  /// What later steps depend on, after the first; later steps change what is in these tensors.
  public var state: [State] {
    parameters.enumerated().map { index, parameter in
      let moments = Tensor.several(3) { ct_adam_moments(handle, Int32(index), $0) }
      return State(
        parameter: parameter, mean: moments[0], square: moments[1], largestSquare: moments[2])
    }
  }

  /// Goes on from a state, as if these steps had been taken here.
  public func restore(_ state: [State], afterSteps steps: Int) {
    precondition(state.count == count, "\(state.count) states of \(count) parameters")
    for (index, state) in state.enumerated() {
      let moments = [state.mean, state.square, state.largestSquare]
      let handles = moments.map(\.handle)
      withExtendedLifetime(moments) {
        check(
          ct_adam_restore(handle, Int32(index), state.parameter.handle, handles, Int64(steps)))
      }
    }
  }
}

extension Tensor {
  /// −Σ m log softmax(z) for each row of these logits z, and, if asked for, its gradient in their place.
  ///
  /// - Parameters:
  ///   - model: m, of the shape of the logits, [rows, vocabulary]; each row adds up to 1.
  ///   - replacing: whether the logits' memory becomes softmax(z) − m; every copy sees the change.
  /// - Returns: [rows]; with Σ m log m added, the Kullback–Leibler divergence.
  public func crossEntropy(from model: Tensor, replacingWithGradient replacing: Bool) -> Tensor {
    Tensor { ct_divergence_gradient(handle, model.handle, replacing, $0) }
  }
}
