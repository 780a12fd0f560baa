internal import LanguageModels
public import Results

// The attention family beside the gradients: token scores of one position, and where the method has them shares at
// each layer's tokens. They know no metric; its value stands beside them.

extension AttributionSource {
  /// What a method without gradients found, with m of the text.
  fileprivate func attribution(
    _ levels: [AttributionLevel], _ setting: GradientSetting, forward: Double = 1,
    _ scores: () throws -> [AttributionScores]
  ) throws -> Attribution {
    let names = levels.map(\.name)
    return Attribution(
      scores: try scores().filter { names.contains($0.unit) },
      value: try setting.seen([.embedding], gradients: false).metric[0], start: nil, nodes: nil,
      passes: PassCount(forward: forward, backward: 0))
  }
}

extension AttentionRollout: AttributionSource {
  /// Shares of the metric's position; one forward pass.
  public func attribution(
    _ levels: [AttributionLevel], in setting: GradientSetting, top: Int,
    progress: (Double) -> Void
  ) throws -> Attribution {
    try attribution(levels, setting) {
      try scores(of: setting.ids[0], at: setting.metric.position, in: setting.model)
    }
  }

  /// `rollout`.
  public func description(in setting: GradientSetting) -> AttributionMethod {
    AttributionMethod(name: "rollout")
  }
}

extension AttentionFlow: AttributionSource {
  /// Flows to the metric's position; one forward pass.
  public func attribution(
    _ levels: [AttributionLevel], in setting: GradientSetting, top: Int,
    progress: (Double) -> Void
  ) throws -> Attribution {
    try attribution(levels, setting) {
      try scores(
        of: setting.ids[0], at: setting.metric.position, in: setting.model, progress: progress)
    }
  }

  /// `attention-flow`.
  public func description(in setting: GradientSetting) -> AttributionMethod {
    AttributionMethod(name: "attention-flow")
  }
}

extension AttentionNorms: AttributionSource {
  /// Norms of the metric's position; one forward pass.
  public func attribution(
    _ levels: [AttributionLevel], in setting: GradientSetting, top: Int,
    progress: (Double) -> Void
  ) throws -> Attribution {
    try attribution(levels, setting) {
      try scores(of: setting.ids[0], at: setting.metric.position, in: setting.model)
    }
  }

  /// `attention-norms`.
  public func description(in setting: GradientSetting) -> AttributionMethod {
    AttributionMethod(name: "attention-norms", estimator: kind.rawValue)
  }
}

extension Occlusion: AttributionSource {
  /// What the metric loses; a forward pass for each token.
  public func attribution(
    _ levels: [AttributionLevel], in setting: GradientSetting, top: Int,
    progress: (Double) -> Void
  ) throws -> Attribution {
    try attribution(levels, setting, forward: Double(setting.ids[0].count + 1)) {
      try scores(
        of: setting.ids[0], metric: setting.metric, in: setting.model, progress: progress)
    }
  }

  /// `occlusion`.
  public func description(in setting: GradientSetting) -> AttributionMethod {
    AttributionMethod(name: "occlusion", baseline: replacement.name)
  }
}

extension InformationFlowRoutes: AttributionSource {
  /// What arrives of each token; one forward pass.
  public func attribution(
    _ levels: [AttributionLevel], in setting: GradientSetting, top: Int,
    progress: (Double) -> Void
  ) throws -> Attribution {
    try attribution(levels, setting) {
      try scores(of: setting.ids[0], at: setting.metric.position, in: setting.model)
    }
  }

  /// `information-flow`.
  public func description(in setting: GradientSetting) -> AttributionMethod {
    AttributionMethod(name: "information-flow", tolerance: threshold)
  }
}
