import Results

/// How numbers of gradients and circuits were made, in words.
enum MethodWords {
  /// The name, then every choice that decides the numbers.
  static func phrases(_ method: AttributionMethod) -> [String] {
    var phrases = [method.name]
    if let path = method.path { phrases.append("path " + path) }
    if let baseline = method.baseline { phrases.append("from " + baseline) }
    if var rule = method.quadrature {
      if let steps = method.steps { rule += " \(steps)" }
      if let tolerance = method.tolerance { rule += " to \(tolerance)" }
      phrases.append(rule)
    } else {
      if let steps = method.steps { phrases.append("\(steps) steps") }
      if let tolerance = method.tolerance { phrases.append("to \(tolerance)") }
    }
    if let estimator = method.estimator { phrases.append("weighed by " + estimator) }
    if let rules = method.rules { phrases.append("rules " + rules) }
    if let point = method.linearisedAt { phrases.append("linear at " + point) }
    if let seed = method.seed { phrases.append("seed \(seed)") }
    return phrases
  }

  /// The runs of the model: `1 forward, 1 backward`.
  static func passes(_ passes: PassCount) -> String {
    count(passes.forward) + " forward, " + count(passes.backward) + " backward"
  }

  /// The same in few columns: `2F 1B`.
  static func shortPasses(_ passes: PassCount) -> String {
    count(passes.forward) + "F " + count(passes.backward) + "B"
  }

  /// Whole numbers without a point, others with one or two digits behind it.
  static func count(_ count: Double) -> String {
    guard count.isFinite else { return "?" }
    var text = Quantity.fixed(count, 2, signed: false)
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text
  }

  /// What a metric is called: `logit`, `difference of logits`.
  static func metric(_ name: String) -> String {
    switch name {
    case "logit": "logit"
    case "logit-diff": "difference of logits"
    case "prob": "probability"
    case "prob-diff": "difference of probabilities"
    case "logprob": "log-probability"
    case "logprob-diff": "difference of log-probabilities"
    default: name
    }
  }

  /// What several units are called.
  static func units(_ name: String) -> String {
    switch name {
    case "token", "neuron", "head": name + "s"
    case "branch": "branches"
    case "attention": "coordinates of attention"
    case "mlp": "coordinates of the MLP"
    case "residual": "coordinates of the residual"
    default: name
    }
  }
}

extension ReportFrame {
  /// What is attributed: the tokens, where, and m at the right edge.
  func metric(_ metric: MetricDescription, in tokens: [TokenDescription]) -> [TerminalLine] {
    let decimals = Quantity.decimals(
      for: max(abs(metric.value), abs(metric.start ?? 0)), least: 4)
    let target = TargetDescription(
      id: metric.token.id, text: metric.token.text, bytes: metric.token.bytes,
      versus: metric.versus)
    let context = tokens.prefix(metric.position + 1).joinedText
    let lines = prediction(
      after: context, of: target,
      value: TerminalReport.shown(metric.name, style: style) + " "
        + Quantity.fixed(metric.value, decimals, signed: false))
    guard let start = metric.start else { return lines }
    let change = Rounding(decimals: decimals).difference(start, metric.value)
    return lines
      + quiet([
        style.glyphs.words(
          "starts at " + Quantity.fixed(start, decimals, signed: false) + ", changes by "
            + Quantity.fixed(change, decimals, signed: true).replacing(" ", with: ""))
      ])
  }

  /// A token by position and text, `5 ␣mat`; in a column of names, positions stand below one another.
  func place(
    _ position: Int, in tokens: [TokenDescription], to width: Int, aligned: Bool = false
  ) -> String {
    let digits = aligned ? String(max(0, tokens.count - 1)).count : 1
    let number = DisplayText.padded(
      String(position), to: max(digits, String(position).count), right: true)
    let room = width - number.count - 1
    guard room >= 1, tokens.indices.contains(position) else { return number }
    return number + " " + name(tokens[position], to: room)
  }
}
