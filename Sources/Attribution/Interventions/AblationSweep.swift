internal import LanguageModels
internal import Tensors

/// Reads F at ablated states, those of many predictions in one sweep over the vocabulary.
struct AblationSweep {
  private let target: Target
  private let rows: Int
  private let readout: Readout
  private var states: [Tensor] = []
  private var questions: [Readout.Question] = []
  /// The subject of each ablated row; nil for the model's own states.
  private var subjects: [Int?] = []
  /// F(model) − F(ablated), by subject, in the order in which rows came.
  private var changes: [[Double]]

  init(target: Target, rows: Int, readout: Readout, subjects: Int) {
    self.target = target
    self.rows = max(2, rows)
    self.readout = readout
    changes = Array(repeating: [], count: subjects)
  }

  /// Takes the states of one prediction, [row, width], and the model's own, [1, width].
  mutating func add(
    _ ablated: Tensor, of subject: AblationStudy.Subject, _ index: Int, own: Tensor
  ) throws {
    let count = ablated.size(0)
    var start = 0
    while start < count {
      // The model's own state takes part in every sweep that needs it.
      if questions.count + 2 > rows { try flush() }
      let end = min(count, start + rows - questions.count - 1)
      let question = Readout.Question(
        token: subject.token, versus: subject.versus, model: questions.count)
      states += [own, ablated.slice(start..<end, along: 0)]
      questions += Array(repeating: question, count: end - start + 1)
      subjects += [nil] + Array(repeating: index, count: end - start)
      start = end
    }
  }

  /// Reads what is left.
  mutating func finish() throws -> [[Double]] {
    try flush()
    return changes
  }

  private mutating func flush() throws {
    guard !questions.isEmpty else { return }
    let reading = try withEngineErrors {
      try readout.read(
        Tensor.concatenating(states, along: 0), questions, target, top: 0)
    }
    let values = reading.rows.enumerated().map { row, read in
      target.value(read, modelEntropy: reading.rows[questions[row].model].entropy)
    }
    guard values.allSatisfy(\.isFinite) else {
      throw AttributionError(
        .notFinite,
        "The model's numbers are not finite when a part is replaced; use --dtype float32, or "
          + "replace by the mean instead of zero.")
    }
    for (row, subject) in subjects.enumerated() {
      if let subject { changes[subject].append(values[questions[row].model] - values[row]) }
    }
    states = []
    questions = []
    subjects = []
  }
}
