internal import Foundation
package import Tensors

/// What is explained: a scalar function F of one position's logits z, with p = softmax(z).
public enum Target: Sendable, Equatable {
  /// p_y.
  case probability
  /// log p_y.
  case logProbability
  /// z_y.
  case logit
  /// p_y − p_x.
  case probabilityDifference
  /// z_y − z_x.
  case logitDifference
  /// −Σ p log p, in nats.
  case entropy
  /// Σ m log(m / p) in nats, with m the model's own output.
  case divergence

  /// The name in commands and results.
  public var name: String {
    switch self {
    case .probability: "prob"
    case .logProbability: "logprob"
    case .logit: "logit"
    case .probabilityDifference: "prob-diff"
    case .logitDifference: "logit-diff"
    case .entropy: "entropy"
    case .divergence: "kl"
    }
  }

  /// Whether a second token x takes part.
  public var isDifference: Bool { self == .probabilityDifference || self == .logitDifference }

  var needsSecondMoments: Bool { self == .entropy }
  var needsModel: Bool { self == .divergence }

  /// F from a row's statistics; `kl` also needs the entropy of the model's own output.
  package func value(_ row: SoftmaxRows.Reading, modelEntropy: Double) -> Double {
    switch self {
    case .probability: exp(row.targetLogit - row.logPartition)
    case .logProbability: row.targetLogit - row.logPartition
    case .logit: row.targetLogit
    case .probabilityDifference:
      exp(row.targetLogit - row.logPartition) - exp(row.versusLogit - row.logPartition)
    case .logitDifference: row.targetLogit - row.versusLogit
    case .entropy: row.entropy
    // Σ m log m − Σ m (z − log Z)
    case .divergence: row.logPartition - row.crossMoment - modelEntropy
    }
  }

  /// dF/dt = Σ_v ∂F/∂z_v · dz_v/dt (table of the closed form), from a point's statistics.
  package func slope(_ point: SoftmaxPoints.Reading) -> Double {
    let target = point.targetSlope - point.meanSlope
    let versus = point.versusSlope - point.meanSlope
    switch self {
    case .probability: return exp(point.targetLogit - point.logPartition) * target
    case .logProbability: return target
    case .logit: return point.targetSlope
    case .probabilityDifference:
      return exp(point.targetLogit - point.logPartition) * target
        - exp(point.versusLogit - point.logPartition) * versus
    case .logitDifference: return point.targetSlope - point.versusSlope
    // −Σ p (log p + H) dz = −(E[z dz] − E[z] E[dz])
    case .entropy: return point.mean * point.meanSlope - point.momentSlope
    case .divergence: return point.meanSlope - point.crossSlope
    }
  }

  /// The coefficients of q = ∂F/∂z (table of the closed form) at a point, times `weight`.
  package func seed(
    _ point: SoftmaxPoints.Reading, _ mixture: SoftmaxPoints.Mixture, weight w: Double
  ) -> SoftmaxGradients.Point {
    var q = SoftmaxGradients.Point(
      alpha: mixture.alpha, beta: mixture.beta, logPartition: point.logPartition)
    let y = exp(point.targetLogit - point.logPartition)
    switch self {
    // p_y (e_y − p)
    case .probability: (q.first, q.target) = (-w * y, w * y)
    // e_y − p
    case .logProbability: (q.first, q.target) = (-w, w)
    // e_y
    case .logit: q.target = w
    // p_y (e_y − p) − p_x (e_x − p)
    case .probabilityDifference:
      let x = exp(point.versusLogit - point.logPartition)
      (q.first, q.target, q.versus) = (-w * (y - x), w * y, -w * x)
    // e_y − e_x
    case .logitDifference: (q.target, q.versus) = (w, -w)
    // −p ∘ (log p + H), with H = log Z − E[z]
    case .entropy: (q.first, q.second) = (-w * (point.logPartition - point.mean), -w)
    // p − m
    case .divergence: (q.first, q.model) = (w, -w)
    }
    return q
  }

  /// F in the model's ordinary forward pass.
  func value(_ ordinary: OrdinaryReading) -> Double {
    let target = ordinary.targetLogit
    let versus = ordinary.versusLogit
    let partition = ordinary.logPartition
    switch self {
    case .probability: return exp(target - partition)
    case .logProbability: return target - partition
    case .logit: return target
    case .probabilityDifference: return exp(target - partition) - exp(versus - partition)
    case .logitDifference: return target - versus
    case .entropy: return ordinary.entropy
    case .divergence: return 0
    }
  }
}
