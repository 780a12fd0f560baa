internal import Checkpoints
public import Foundation
internal import LanguageModels
internal import Tensors

// A checkpoint holds everything that later steps depend on: the translators, Adam's moments and the
// number of steps taken. What else decides the result (model, text, options) stands in the remarks and
// must be the same, so that a resumed training ends in the very bytes of an uninterrupted one.

extension LensTrainer {
  private static let format = "telescope/tuned-lens-training/1"

  /// What a checkpoint and the training that continues it must agree on.
  private func agreement(_ modelHash: String) -> [String: String] {
    options.remarks.merging([
      "model_sha256": modelHash, "text_sha256": text.sha256, "length": String(text.length),
      "dtype": loss.type.name, "device": loaded.model.device.name, "rows": String(rows),
    ]) { own, _ in own }
  }

  /// Writes a state, after at least one step.
  ///
  /// - Throws: `CheckpointError` when the file cannot be written; nothing half-written is left, and
  ///   an earlier checkpoint is still there.
  public func save(_ state: State, to url: URL, modelHash: String) throws {
    var writer = SafetensorsWriter(
      remarks: agreement(modelHash).merging([
        "format": Self.format, "step": String(state.step),
        "held_out_bits_before": state.before.map { String($0) }.joined(separator: " "),
      ]) { own, _ in own })
    for (index, part) in state.adam.state.enumerated() {
      writer.add(part.parameter, as: "\(index).parameter")
      writer.add(part.mean, as: "\(index).mean")
      writer.add(part.square, as: "\(index).square")
      writer.add(part.largestSquare, as: "\(index).largest")
    }
    try writer.write(to: url)
  }

  /// Reads a state that training with the same model, text and options wrote.
  ///
  /// - Throws: `CheckpointError` for a file that cannot be read; `LensError` for one of another
  ///   training, naming what differs.
  public func load(_ url: URL, modelHash: String) throws -> State {
    let name = url.lastPathComponent
    let file = try Safetensors(url)
    guard file.remarks["format"] == Self.format else {
      throw LensError(
        .badData,
        "\(name): this is no checkpoint of a lens's training; leave --resume out to begin anew.")
    }
    let remarks = Remarks(file: name, text: file.remarks)
    for (key, own) in agreement(modelHash).sorted(by: { $0.key < $1.key }) {
      let stored = try remarks.string(key)
      guard stored == own else {
        throw LensError(
          .usage,
          "\(name): the checkpoint was trained with \(key) \(stored.prefix(16)) and this run has "
            + "\(own.prefix(16)); resume with what it began with, or leave --resume out to begin anew."
        )
      }
    }
    let shape = loaded.model.shape
    func part(_ index: Int, _ kind: String) throws -> Tensor {
      let expected = index % 2 == 0 ? [shape.width, shape.width] : [shape.width]
      guard let tensor = file.tensors["\(index).\(kind)"], tensor.shape == expected else {
        throw LensError(
          .badData,
          "\(name): tensor '\(index).\(kind)' of shape \(expected) is missing; the file is damaged, "
            + "leave --resume out to begin anew.")
      }
      return tensor.tensor(loss.type, on: loaded.model.device)
    }
    let step = try remarks.integer("step")
    guard step > 0, step <= options.steps else {
      throw LensError(
        .badData,
        "\(name): the checkpoint says it took \(step) of \(options.steps) steps; the file is damaged, "
          + "leave --resume out to begin anew.")
    }
    let adam = try start()
    let before = try remarks.numbers("held_out_bits_before")
    try withEngineErrors {
      adam.restore(
        try (0..<2 * shape.layers).map { index in
          Adam.State(
            parameter: try part(index, "parameter"), mean: try part(index, "mean"),
            square: try part(index, "square"), largestSquare: try part(index, "largest"))
        }, afterSteps: step)
    }
    var state = State(adam: adam)
    state.step = step
    state.before = before
    return state
  }
}
