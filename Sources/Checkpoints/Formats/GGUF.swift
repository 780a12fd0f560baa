public import Foundation

/// A GGUF file (versions 2 and 3, little-endian): metadata and tensors.
///
/// Opening reads the header only. Every count, length and offset is checked before it is used.
public struct GGUF: Sendable {
  /// The file.
  public let file: MappedFile
  /// The version of the format: 2 or 3.
  public let version: Int
  /// What the file says of its model, by key.
  public let metadata: [String: GGUFValue]
  /// The tensors by name, with shapes outermost first: the reverse of the file's own order.
  public let tensors: [String: StoredTensor]

  /// Where the metadata are in the file.
  private let metadataRange: Range<Int>

  /// A GGUF file of the metadata alone, as vocabularies are passed on.
  package var withoutTensors: Data {
    var data = Data("GGUF".utf8)
    withUnsafeBytes(of: UInt32(version).littleEndian) { data.append(contentsOf: $0) }
    for count in [0, metadata.count] {
      withUnsafeBytes(of: UInt64(count).littleEndian) { data.append(contentsOf: $0) }
    }
    file.withBytes { data.append(contentsOf: $0[metadataRange]) }
    return data
  }

  /// Opens a file and checks its header.
  ///
  /// - Parameter url: Where the file is.
  /// - Throws: `missing`, `unreadable`, `malformed` or `unsupported`.
  public init(_ url: URL) throws(CheckpointError) {
    try self.init(try MappedFile(url))
  }

  /// Checks the header of a mapped file.
  ///
  /// - Parameter file: The file.
  /// - Throws: `malformed` or `unsupported`.
  public init(_ file: MappedFile) throws(CheckpointError) {
    var reader = GGUFReader(file)
    try reader.readFixedHeader()
    let start = reader.position
    let metadata = try reader.readMetadata()
    metadataRange = start..<reader.position
    try reader.checkVocabulary(metadata)
    self.file = file
    self.version = reader.version
    self.metadata = metadata
    self.tensors = try reader.readTensors(alignment: try reader.alignment(metadata))
  }
}
