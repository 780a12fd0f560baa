import Attribution
import LanguageModels
import StrictJSON
import Tensors
import TestSupport

/// Readouts made by `Scripts/reference`, with autograd's values and gradients.
struct StoredReadouts {
  let stored: JSON
  let cases: [JSON]
  var start: [Double] { stored["start"]?.numbers ?? [] }
  var end: [Double] { stored["end"]?.numbers ?? [] }

  init(_ file: String = "readout/readout.json") throws {
    stored = try reference(file)
    cases = stored["readouts"]?.array ?? []
  }

  /// The end is the model's own state.
  var question: Readout.Question {
    .init(token: stored["token"]?.integer ?? 0, versus: stored["versus"]?.integer, model: 1)
  }

  static let targets: [Target] = [
    .probability, .logProbability, .logit, .probabilityDifference, .logitDifference, .entropy,
  ]

  func readout(_ description: JSON, _ type: ScalarType) -> Readout {
    Readout(head(description, type))
  }

  /// The norm and head behind it.
  func head(_ description: JSON, _ type: ScalarType) -> Unembedding {
    let width = stored["width"]?.integer ?? 0
    let vocabulary = stored["vocabulary"]?.integer ?? 0
    func vector(_ key: String) -> Tensor {
      let values = stored[key]?.numbers ?? []
      return Tensor(values, [values.count], type)
    }
    let norm = Norm(
      kind: description["norm"]?.string == "rms" ? .rms : .layer, weight: vector("scale"),
      bias: description["with_shift"]?.boolean == true ? vector("shift") : nil,
      epsilon: stored["epsilon"]?.double ?? 0)
    return Unembedding(
      norm: norm,
      weight: Tensor(stored["unembedding"]?.numbers ?? [], [vocabulary, width], type),
      bias: description["with_constant"]?.boolean == true ? vector("constant") : nil,
      softCap: description["cap"]?.double)
  }
}
