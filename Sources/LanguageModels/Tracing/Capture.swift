internal import Checkpoints
public import Foundation
internal import Tensors
public import Tokenization

// What a forward pass shows, as a file for other programs. Values are without the batch dimension, of
// which there is one; beside them stand the tokens. Logits are what does not fit twice: positions ×
// vocabulary numbers. They are made from the captured end of the stream when the file is written, some
// rows at a time, straight into the file's buffer.

/// The values of one pass at some sites, to be written as safetensors.
public struct Capture {
  /// The schema that the file's remarks name.
  public static let schemaName = "telescope/capture/1"

  /// The sites, in the order of the forward pass.
  public let sites: [Site]
  /// The text that ran.
  public let tokens: TokenizedText
  /// The positions that were kept; nil for all.
  public let positions: [Int]?
  private let values: Activations
  private let residual: Tensor
  private let model: any LanguageModel

  /// The rows of logits that are computed at a time.
  private static let rowsAtOnce = 16

  /// Runs a model once and keeps what it shows.
  ///
  /// - Parameters:
  ///   - sites: where, among those of the model.
  ///   - tokens: the text.
  ///   - positions: the positions that are kept, ascending; nil for all. Of attention patterns these are
  ///     the queries; keys are all there.
  ///   - model: the model.
  /// - Throws: `ModelError` for a text, position or site that the model does not have; `EngineError`
  ///   when memory runs out.
  /// - Complexity: one forward pass.
  public init(
    _ sites: Set<Site>, of tokens: TokenizedText, at positions: [Int]? = nil,
    in model: any LanguageModel
  ) throws {
    if let wrong = positions?.first(where: { !tokens.ids.indices.contains($0) }) {
      throw ModelError(
        .usage,
        "Position \(wrong) is out of range; the text has positions 0 to \(tokens.count - 1).")
    }
    if let unknown = sites.subtracting(model.sites).inOrder.first {
      throw ModelError.noSite(unknown.description, model.sites, layers: model.shape.layers)
    }
    self.sites = sites.inOrder
    self.tokens = tokens
    self.positions = positions.map { Set($0).sorted() }
    self.model = model
    let kept = self.positions
    func chosen(_ value: Tensor, _ site: Site) -> Tensor {
      kept.map { value.selecting($0, along: 1 + site.positionAxis) } ?? value
    }
    var values = Activations()
    let watched = sites.subtracting([.logits, .finalNorm])
    let run = try withRecording(false) {
      try model.run(
        [tokens.ids],
        pass: Pass(sites: watched) { site, value in
          values[site] = chosen(value, site)
          return value
        })
    }
    residual = try withEngineErrors { chosen(run.residual, .embedding) }
    self.values = values
  }

  /// Writes the file: every site by its name, `tokens.ids` and `tokens.ranges`, and `positions` where
  /// some were chosen.
  ///
  /// - Parameters:
  ///   - url: where; the file appears whole or not at all.
  ///   - remarks: what else is said of it.
  ///   - progress: told the share of the tensors written.
  /// - Throws: `CheckpointError` where it cannot be written, `EngineError` when memory runs out.
  /// - Complexity: no model run; with logits, positions × vocabulary × width multiplications.
  public func write(
    to url: URL, remarks: [String: String] = [:], progress: @escaping (Double) -> Void = { _ in }
  ) throws {
    var writer = SafetensorsWriter(
      remarks: [
        "schema": Self.schemaName, "text": tokens.text, "dtype": model.type.name,
        "architecture": model.shape.architecture, "layers": "\(model.shape.layers)",
      ].merging(remarks) { _, given in given })
    for (index, site) in sites.enumerated() {
      writer.add(site.description, stored, shape: shape(of: site)) { buffer in
        try withRecording(false) { try withEngineErrors { try fill(buffer, site) } }
        progress(Double(index + 1) / Double(sites.count))
      }
    }
    add("tokens.ids", [tokens.count], tokens.ids, to: &writer)
    // Tokens that stand for nothing of the text are empty ranges.
    let ends = tokens.ranges.flatMap { [$0.lowerBound, $0.upperBound] }
    add("tokens.ranges", [tokens.count, 2], ends, to: &writer)
    if let positions { add("positions", [positions.count], positions, to: &writer) }
    try writer.write(to: url)
  }

  /// The bytes that the sites take in the file.
  public var bytes: Int {
    sites.reduce(0) { $0 + shape(of: $1).reduce(model.type.bytes, *) }
  }

  /// A site's extents in the file.
  public func shape(of site: Site) -> [Int] {
    switch site {
    case .finalNorm: [residual.size(1), model.shape.width]
    case .logits: [residual.size(1), model.shape.vocabulary]
    default: Array(values[site].shape.dropFirst())
    }
  }

  private var stored: ElementType {
    switch model.type {
    case .float64: .f64
    case .bfloat16: .bf16
    case .float16: .f16
    default: .f32
    }
  }

  private func fill(_ buffer: UnsafeMutableRawBufferPointer, _ site: Site) throws {
    guard site == .logits || site == .finalNorm else {
      return try values[site].to(model.type).copy(to: buffer)
    }
    let head = model.unembedding
    let rows = residual.size(1)
    let row = shape(of: site)[1] * model.type.bytes
    for start in stride(from: 0, to: rows, by: Self.rowsAtOnce) {
      let end = min(rows, start + Self.rowsAtOnce)
      let states = residual.slice(start..<end, along: 1)
      let made = site == .logits ? head.logits(states) : head.normed(states)
      try made.to(model.type).copy(
        to: UnsafeMutableRawBufferPointer(rebasing: buffer[start * row..<end * row]))
    }
  }

  private func add(
    _ name: String, _ shape: [Int], _ numbers: [Int], to writer: inout SafetensorsWriter
  ) {
    writer.add(name, .i64, shape: shape) { buffer in
      numbers.map { Int64($0).littleEndian }.withUnsafeBytes { buffer.copyMemory(from: $0) }
    }
  }
}
