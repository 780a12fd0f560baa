import Foundation

/// The tensors of one safetensors file or file of `torch.save`.
struct WeightFile {
  let format: Checkpoint.Format
  let tensors: [String: StoredTensor]
  let aliases: [String: String]

  /// Opens a file; GGUF is no file of this kind.
  init(_ file: MappedFile) throws(CheckpointError) {
    format = try Self.format(of: file)
    switch format {
    case .safetensors: (tensors, aliases) = (try Safetensors(file).tensors, [:])
    case .torch:
      let archive = try TorchArchive(file)
      (tensors, aliases) = (archive.tensors, archive.aliases)
    case .gguf:
      throw CheckpointError.malformed(file.url.plainPath, "the file is GGUF, which has no shards")
    }
  }

  /// What a file is by its first bytes.
  static func format(of file: MappedFile) throws(CheckpointError) -> Checkpoint.Format {
    let path = file.url.plainPath
    return try file.withBytes { (bytes) throws(CheckpointError) in
      if bytes.starts(with: "GGUF".utf8) { return .gguf }
      // Safetensors begin with a length, whose upper bytes are 0, and a brace. The lower bytes may
      // be any, those of a pickle too; no archive and no pickle has a brace there.
      if bytes.count >= 9, bytes[8] == UInt8(ascii: "{") { return .safetensors }
      if bytes.starts(with: [0x50, 0x4B, 0x03, 0x04]) { return .torch }
      if bytes.count >= 2, bytes[0] == 0x80, (2...5).contains(bytes[1]) { return .torch }
      if ["ggml", "lmgg", "fmgg", "tjgg", "algg"].contains(where: { bytes.starts(with: $0.utf8) }) {
        throw CheckpointError(
          .unsupported, "\(path): the file is of the time before GGUF; convert it to GGUF")
      }
      if bytes.starts(with: "version https://git-lfs".utf8) {
        throw CheckpointError(
          .malformed,
          "\(path): this is Git LFS's note in place of the file; fetch the file with git lfs pull")
      }
      if file.url.lastPathComponent == ModelFiles.configuration {
        throw CheckpointError(
          .unsupported,
          "\(path): this is a configuration without weights; name a folder or file with a model's "
            + "weights")
      }
      throw CheckpointError(
        .malformed,
        "\(path): the file is neither GGUF, nor safetensors, nor one of torch.save; name a model "
          + "file, or download it again")
    }
  }
}
