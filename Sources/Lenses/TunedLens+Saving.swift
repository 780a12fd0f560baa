internal import Checkpoints
public import Foundation
internal import Tensors

extension TunedLens {
  /// Writes a safetensors file: tensors `i.weight` and `i.bias`, and the provenance among the remarks.
  ///
  /// - Throws: `CheckpointError` when the file cannot be written; nothing half-written is left.
  public func save(to url: URL) throws {
    var writer = SafetensorsWriter(remarks: origin.provenance?.remarks ?? [:])
    for (index, translator) in translators.enumerated() {
      writer.add(translator.weight, as: "\(index).weight")
      if let bias = translator.bias { writer.add(bias, as: "\(index).bias") }
    }
    try writer.write(to: url)
  }
}

extension SafetensorsWriter {
  /// Adds a tensor of single or double precision, copied when the file is written.
  mutating func add(_ tensor: Tensor, as name: String) {
    add(name, tensor.type == .float64 ? .f64 : .f32, shape: tensor.shape) { buffer in
      if tensor.type == .float64 {
        try tensor.values().withUnsafeBytes { buffer.copyMemory(from: $0) }
      } else {
        try tensor.floats().withUnsafeBytes { buffer.copyMemory(from: $0) }
      }
    }
  }
}

extension StoredTensor {
  /// The numbers as a tensor.
  func tensor(_ type: ScalarType, on device: Device) -> Tensor {
    let made = Tensor(shape, type) { bytes in
      if type == .float64 {
        if let base = bytes.bindMemory(to: Double.self).baseAddress { read(into: base) }
      } else if let base = bytes.bindMemory(to: Float.self).baseAddress {
        read(into: base)
      }
    }
    return device == .cpu ? made : made.to(type, on: device)
  }
}
