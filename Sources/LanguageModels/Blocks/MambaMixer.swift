internal import Tensors

// Each channel is filtered twice: by a short convolution, and by a linear recurrence whose step,
// input and output depend on the token,
//
//     u = φ(conv(W_u x));   (δ, B, C) = W u;   Δ = softplus(W_Δ δ + b_Δ)
//     h_t = exp(A Δ_t) h_{t−1} + Δ_t B_t u_t;   y_t = C_t · h_t + D u_t
//
// and what comes out is gated: W_out (y · φ(W_g x)). From one position to the next it carries the last
// inputs of the convolution and h.

/// Mamba's selective state space (Gu and Dao 2023).
struct SelectiveStateSpace {
  /// W_u and W_g in one product: [2 · channels, width].
  var input: Linear
  /// The convolution, each channel's own: [kernel, channels].
  var kernel: Tensor
  /// [channels].
  var kernelBias: Tensor?
  /// φ.
  var activation: Activation
  /// W: [rank + 2 · states, channels].
  var selection: Linear
  /// W_Δ and b_Δ: [channels, rank].
  var step: Linear
  /// A: [channels, states], below 0.
  var decay: Tensor
  /// D: [channels].
  var skip: Tensor
  /// W_out: [width, channels].
  var output: Linear

  private var channels: Int { decay.size(0) }
  private var states: Int { decay.size(1) }
  private var rank: Int { step.weight.size(1) }

  /// What the branch adds: [batch, position, width].
  func callAsFunction(
    _ x: Tensor, _ layer: Int, _ positions: Positions, _ cache: KeyValueCache?
  ) -> Tensor {
    // Alternatives are texts that part at their last position.
    let rows = positions.areAlternatives ? x.reshaped([x.size(1), 1, x.size(2)]) : x
    let count = rows.size(1)
    let mixed = input(rows)
    let entering = mixed.slice(0..<channels, along: -1)
    let gate = activation(mixed.slice(channels..<2 * channels, along: -1))

    var state = start(cache?.state(of: layer), batch: rows.size(0), like: x)
    let past = cache?.length ?? 0
    var parts: [Tensor] = []
    var done = past
    for stop in cache?.stops(after: count) ?? [count] {
      parts.append(advance(&state, entering.slice(done - past..<stop - past, along: 1)))
      cache?.keep(state, of: layer, at: stop)
      done = stop
    }
    let values = parts.count == 1 ? parts[0] : Tensor.concatenating(parts, along: 1)
    return output(values * gate).reshaped(x.shape)
  }

  private func start(_ held: RecurrentState?, batch: Int, like x: Tensor) -> RecurrentState {
    guard let held else {
      return RecurrentState(
        recent: Tensor(
          repeating: 0, [batch, kernel.size(0) - 1, channels], x.type, on: x.device),
        scanned: Tensor(repeating: 0, [batch, channels, states], x.type, on: x.device))
    }
    guard held.scanned.size(0) != batch else { return held }
    return RecurrentState(
      recent: held.recent.expanded([batch, kernel.size(0) - 1, channels]),
      scanned: held.scanned.expanded([batch, channels, states]))
  }

  /// y of some positions, [batch, position, channel], and the state after them.
  private func advance(_ state: inout RecurrentState, _ entering: Tensor) -> Tensor {
    let count = entering.size(1)
    let seen = Tensor.concatenating([state.recent, entering], along: 1)
    var sum = seen.slice(0..<count, along: 1) * kernel.slice(0..<1, along: 0)
    for tap in 1..<kernel.size(0) {
      sum = sum + seen.slice(tap..<tap + count, along: 1) * kernel.slice(tap..<tap + 1, along: 0)
    }
    if let kernelBias { sum = sum + kernelBias }
    let filtered = activation(sum)
    let selected = selection(filtered)
    let made = filtered.selectiveScan(
      step: step(selected.slice(0..<rank, along: -1)).softplus, decay: decay,
      input: selected.slice(rank..<rank + states, along: -1),
      output: selected.slice(rank + states..<rank + 2 * states, along: -1), skip: skip,
      from: state.scanned)
    state = RecurrentState(
      recent: seen.slice(count..<seen.size(1), along: 1), scanned: made.state)
    return made.values
  }
}
