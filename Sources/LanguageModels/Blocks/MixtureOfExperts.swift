package import Tensors

// A router gives every expert a logit; a token takes the k experts of the largest, and adds what they
// say, weighted (Shazeer and others 2017; Jiang and others 2024):
//
//     p = softmax(W x);   y = Σ_{e chosen} w_e f_e(x) [+ σ(w_s · x) f_s(x)]
//
// with w_e = p_e, or p_e over the sum of the chosen. Each expert runs once, on the tokens that chose it:
// their rows are selected, what the experts say is joined, and selected back into the tokens' order.
// Selection is all that moves, so gradients flow through it; the choice itself has none.

/// A feed-forward network of which each token uses a few parts.
package struct MixtureOfExperts: FeedForwardBranch {
  /// What all tokens use beside the experts they choose (Qwen 1.5).
  struct Shared {
    var expert: FeedForward
    /// w_s: [1, width].
    var gate: Linear
  }

  /// W: [experts, width].
  var router: Linear
  /// f: what is seen inside them is not shown.
  var experts: [FeedForward]
  /// k.
  var chosen: Int
  /// Whether the weights of the chosen add up to 1.
  var isNormalised: Bool
  /// f_s and w_s, where there is one.
  var shared: Shared?
  /// The branch's own norm after the sum, where the family has one.
  package var outputNorm: Norm?

  /// How many terms the branch is a sum of: the experts, and the shared one last.
  package var terms: Int { experts.count + (shared == nil ? 0 : 1) }

  package var parts: [Site.FeedForwardPart] { [.router, .experts, .output] }

  package func callAsFunction(_ x: Tensor, _ layer: Int, _ pass: Pass) -> Tensor {
    let (batch, count, width) = (x.size(0), x.size(1), x.size(2))
    let rules = pass.rules
    let x = rules.feedForward(x)
    let tokens = x.reshaped([batch * count, width])
    let logits = rules.pattern(pass(.feedForward(layer, .router), router(x, layer, pass)))
    let choice = choose(logits.reshaped([batch * count, experts.count]))
    let said = ask(tokens, choice, layer, pass.unseen) * choice.weights
    let always = shared.map {
      $0.expert(tokens, layer, pass.unseen)
        * rules.pattern($0.gate(tokens, layer, pass).sigmoid)
    }

    let sum: Tensor
    if pass.wants(.feedForward(layer, .experts)) {
      sum = pass(
        .feedForward(layer, .experts),
        spread(said, choice, always).reshaped([batch, count, terms, width])
      ).sum(along: 2)
    } else {
      let routed = said.reshaped([batch * count, chosen, width]).sum(along: 1)
      sum = (always.map { routed + $0 } ?? routed).reshaped([batch, count, width])
    }
    let normed = outputNorm?(sum, layer, pass, at: .feedForwardOutput) ?? sum
    return pass(.feedForward(layer, .output), normed)
  }

  /// Which experts each token uses.
  private struct Choice {
    /// [token · k + rank], the largest first.
    var experts: [Int]
    /// [token · k, 1].
    var weights: Tensor
  }

  private func choose(_ logits: Tensor) -> Choice {
    // Low-precision logits are compared in float32, as every published model does.
    let isLow = logits.type == .bfloat16 || logits.type == .float16
    let shares = (isLow ? logits.to(.float32) : logits).softmax(along: -1)
    // Nothing to choose by once an operation has failed, which ends the run.
    let values = (try? shares.values()) ?? []
    let all = experts.count
    var picked: [Int] = []
    picked.reserveCapacity(values.count / all * chosen)
    for start in stride(from: 0, to: values.count - all + 1, by: all) {
      var open = Array(0..<all)
      for _ in 0..<chosen {
        var best = 0
        for place in open.indices where values[start + open[place]] > values[start + open[best]] {
          best = place
        }
        picked.append(open.remove(at: best))
      }
    }
    var weights = shares.reshaped([-1]).selecting(
      picked.enumerated().map { $0.offset / chosen * all + $0.element }, along: 0
    ).reshaped([-1, chosen])
    if isNormalised { weights = weights / weights.sum(along: 1, keepingDimension: true) }
    return Choice(experts: picked, weights: weights.reshaped([-1, 1]).to(logits.type))
  }

  /// What each token's experts say, in the order of the choice: [token · k, width].
  private func ask(_ tokens: Tensor, _ choice: Choice, _ layer: Int, _ pass: Pass) -> Tensor {
    var groups = [[Int]](repeating: [], count: experts.count)
    for (place, expert) in choice.experts.enumerated() { groups[expert].append(place) }
    var places = [Int](repeating: 0, count: choice.experts.count)
    for (joined, place) in groups.joined().enumerated() { places[place] = joined }
    let answers = zip(experts, groups).compactMap { expert, group -> Tensor? in
      group.isEmpty
        ? nil : expert(tokens.selecting(group.map { $0 / chosen }, along: 0), layer, pass)
    }
    guard !answers.isEmpty else { return tokens }
    return Tensor.concatenating(answers, along: 0).selecting(places, along: 0)
  }

  /// What every expert adds for every token, zero where it was not chosen: [token, terms, width].
  private func spread(_ said: Tensor, _ choice: Choice, _ always: Tensor?) -> Tensor {
    let count = choice.experts.count / chosen
    let width = said.size(1)
    let nothing = Tensor(repeating: 0, [1, width], said.type, on: said.device)
    var rows = [Int](repeating: choice.experts.count, count: count * experts.count)
    for (place, expert) in choice.experts.enumerated() {
      rows[place / chosen * experts.count + expert] = place
    }
    let routed = Tensor.concatenating([said, nothing], along: 0).selecting(rows, along: 0)
      .reshaped([count, experts.count, width])
    guard let always else { return routed }
    return Tensor.concatenating([routed, always.reshaped([count, 1, width])], along: 1)
  }
}
