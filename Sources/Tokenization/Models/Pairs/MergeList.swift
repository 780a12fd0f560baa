/// Merges as a file writes them: `"a b"` or `["a", "b"]`.
enum MergeList {
  case joined([String])
  case pairs([(left: String, right: String)])

  var count: Int {
    switch self {
    case .joined(let merges): merges.count
    case .pairs(let merges): merges.count
    }
  }

  /// The table over the numbers of the tokens.
  func table(_ tokens: ByteStrings, file: String) throws(TokenizationError) -> MergeTable {
    var table = MergeTable(capacity: count)
    var scratch: [UInt8] = []
    for rank in 0..<count {
      scratch.removeAll(keepingCapacity: true)
      guard let leftLength = append(rank, to: &scratch) else {
        throw TokenizationError(
          .malformed,
          "\(file): merge \(rank) '\(shown(rank))' is not two tokens with a space between; the file "
            + "is damaged.")
      }
      let numbers = scratch.withUnsafeBufferPointer { bytes in
        (
          tokens.number(of: UnsafeBufferPointer(rebasing: bytes[..<leftLength])),
          tokens.number(of: UnsafeBufferPointer(rebasing: bytes[leftLength...])),
          tokens.number(of: bytes)
        )
      }
      guard let left = numbers.0, let right = numbers.1, let merged = numbers.2 else {
        let part =
          numbers.0 == nil ? "left part" : numbers.1 == nil ? "right part" : "result"
        throw TokenizationError(
          .malformed,
          "\(file): the \(part) of merge \(rank) '\(shown(rank))' is not in the vocabulary; the "
            + "merges and the vocabulary are from different tokenizers.")
      }
      table.set(UInt32(left), UInt32(right), rank: rank, merged: UInt32(merged))
    }
    return table
  }

  /// Appends both parts without the space and returns the length of the first.
  private func append(_ rank: Int, to scratch: inout [UInt8]) -> Int? {
    switch self {
    case .pairs(let merges):
      scratch.append(contentsOf: merges[rank].left.utf8)
      let length = scratch.count
      scratch.append(contentsOf: merges[rank].right.utf8)
      return length > 0 && scratch.count > length ? length : nil
    case .joined(let merges):
      var merge = merges[rank]
      return merge.withUTF8 { bytes in
        guard let space = bytes.firstIndex(of: 0x20), space > 0, space + 1 < bytes.count,
          !bytes[(space + 1)...].contains(0x20)
        else { return nil }
        scratch.append(contentsOf: bytes[..<space])
        scratch.append(contentsOf: bytes[(space + 1)...])
        return space
      }
    }
  }

  private func shown(_ rank: Int) -> String {
    switch self {
    case .joined(let merges): printable(merges[rank])
    case .pairs(let merges): printable("\(merges[rank].left) \(merges[rank].right)")
    }
  }
}
