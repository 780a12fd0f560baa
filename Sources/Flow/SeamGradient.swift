internal import LanguageModels
internal import Tensors

// The same integrals for any block, with automatic gradients through its sites: each target's path is a batch of
// whole texts, one for each node, and each head's share a backward pass of its own. It is what closed forms are
// judged by, and the way for blocks that have none.

/// A block's integrated gradients by automatic differentiation, target by target.
struct SeamGradient {
  let setting: FlowSetting
  let isITB: Bool

  init(_ setting: FlowSetting, isITB: Bool) {
    self.setting = setting
    self.isITB = isITB
  }

  /// Where the path starts: [1, tokens, width].
  private func baseline(_ target: Int) -> Tensor {
    let stream = setting.stream
    let row = stream.slice(target..<target + 1, along: 0)
    return (isITB ? row : row * 0).reshaped([1, 1, stream.size(1)])
      .expanded([1, setting.tokens, stream.size(1)])
  }

  /// u(0) of targets: [targets, heads, headWidth].
  func start(_ targets: [Int]) -> Tensor {
    Tensor.concatenating(
      targets.map { target in
        setting.route.seen(baseline(target)).mixes.to(setting.type)
          .selecting([target], along: 1).sum(along: 0)
      }, along: 0)
  }

  /// z′(0) of targets: [targets, width].
  func end(_ targets: [Int]) -> Tensor {
    Tensor.concatenating(
      targets.map { setting.route(baseline($0)).selecting([$0], along: 1).sum(along: 0) }, along: 0)
  }

  /// For each target, [head][source] of z → u.
  func attention(
    _ places: [Int], _ nodes: PathNodes, starts: Tensor, whole: Tensor
  ) throws -> [[Double]] {
    try integrals(places, nodes) { place, target, x, step in
      // [nodes, heads, headWidth]
      let mixes = setting.route.seen(x).mixes.to(setting.type).slice(target..<target + 1, along: 1)
        .sum(along: 1)
      func row(_ ends: Tensor) -> Tensor {
        ends.slice(place..<place + 1, along: 1).transposed(0, 1)
      }
      let cotangent =
        setting.usesLength ? (mixes.detached - row(starts)).directions : row(whole).directions
      return (0..<setting.heads).map { head in
        let heads = head..<head + 1
        let number = mixes.slice(heads, along: 1) * cotangent.slice(heads, along: 1)
        return (number.gradient(withRespectTo: [x])[0] * step).sum(along: -1)
      }
    }
  }

  /// For each target, [head][source] of z → z′, then what passes beside; as one head where there are none.
  func layer(
    _ places: [Int], _ nodes: PathNodes, starts: Tensor, whole: Tensor, byHead: Bool
  ) throws -> [[Double]] {
    try integrals(places, nodes) { place, target, x, step in
      let (all, mixes, leaf) =
        byHead ? setting.route.seen(x, cut: true) : (setting.route(x), x, x)
      let made = all.slice(target..<target + 1, along: 1)
      func row(_ ends: Tensor) -> Tensor {
        ends.slice(place..<place + 1, along: 0).reshaped([1, 1, ends.size(1)])
      }
      let cotangent =
        setting.usesLength ? (made.detached - row(starts)).directions : row(whole).directions
      let number = made * cotangent
      guard byHead else {
        let all = (number.gradient(withRespectTo: [x])[0] * step).sum(along: -1)
        return [all, all * 0]
      }
      let gradients = number.gradient(withRespectTo: [x, leaf])
      // Beside the heads only the target's own stream leads to it.
      let past = (gradients[0] * step).sum(along: -1)
      return (0..<setting.heads).map { head in
        let heads = head..<head + 1
        let through = mixes.slice(heads, along: 2) * gradients[1].slice(heads, along: 2)
        return (through.gradient(withRespectTo: [x])[0] * step).sum(along: -1)
      } + [past]
    }.enumerated().map { index, values in
      let target = setting.targets[places[index]]
      let through = values.count - setting.tokens
      return Array(values[..<through]) + [values[through + target]]
    }
  }

  /// The weighted sums over nodes, for each target, of lists [nodes, tokens].
  private func integrals(
    _ places: [Int], _ nodes: PathNodes,
    _ lists: (_ place: Int, _ target: Int, _ x: Tensor, _ step: Tensor) -> [Tensor]
  ) throws -> [[Double]] {
    let shape = setting.flow.model.shape
    let size = setting.tokens * max(shape.hidden, shape.heads * setting.tokens)
    let nodesAtOnce = max(1, setting.request.options.numbersAtOnce / size)
    return try places.map { place in
      let target = setting.targets[place]
      let start = baseline(target)
      let step = setting.stream.reshaped([1] + setting.stream.shape) - start
      var sums: [Tensor] = []
      for part in nodes.chunks(of: nodesAtOnce) {
        let a = Tensor(part.places, [part.places.count, 1, 1], setting.type, on: step.device)
        let found = withRecording(true) {
          lists(place, target, (start + a * step).requiringGradient(), step)
        }
        let weighed = found.map { $0.weighed(part.weights) }
        sums = sums.isEmpty ? weighed : zip(sums, weighed).map { $0 + $1 }
      }
      let values = try Tensor.concatenating(sums, along: 0).values()
      guard values.allSatisfy(\.isFinite) else { throw FlowError.notFinite(layer: setting.layer) }
      return values
    }
  }
}
