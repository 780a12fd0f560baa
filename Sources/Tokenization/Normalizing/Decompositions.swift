import Foundation

/// What scalars decompose to and which pairs compose, asked of Foundation once.
enum Decompositions {
  /// Full canonical decompositions, without Hangul syllables.
  static let canonical = table { $0.decomposedStringWithCanonicalMapping }
  /// Full compatibility decompositions, without Hangul syllables.
  static let compatibility = table { $0.decomposedStringWithCompatibilityMapping }

  /// The blocks with scalars that decompose, up to Unicode 17.
  private static let blocks: [ClosedRange<UInt32>] = [
    0xA0...0x33FF, 0xA640...0xABFF, 0xF900...0xFFEF, 0x1_0000...0x1_1FFF, 0x1_6000...0x1_6FFF,
    0x1_CC00...0x1_F2FF, 0x1_FB00...0x1_FBFF, 0x2_F800...0x2_FA1F,
  ]

  private static func table(
    _ decompose: (String) -> String
  ) -> [UInt32: [Unicode.Scalar]] {
    var table: [UInt32: [Unicode.Scalar]] = [:]
    for block in blocks {
      // Line feeds neither change nor join with what stands beside them: one call does many scalars.
      for start in stride(from: block.lowerBound, through: block.upperBound, by: 512) {
        let scalars = (start...min(start + 511, block.upperBound)).compactMap {
          Unicode.Scalar($0)
        }
        var text = String.UnicodeScalarView()
        for scalar in scalars {
          text.append(scalar)
          text.append("\n")
        }
        let parts = decompose(String(text)).unicodeScalars.split(
          separator: "\n", omittingEmptySubsequences: false)
        for (scalar, part) in zip(scalars, parts) {
          guard !part.isEmpty, !part.elementsEqual(CollectionOfOne(scalar)) else { continue }
          table[scalar.value] = Array(part)
        }
      }
    }
    return table
  }

  /// The scalar that a pair composes to.
  static func composite(_ first: UInt32, _ second: UInt32) -> UInt32? {
    // No scalar below U+0300 is the second of a pair.
    guard second >= 0x300 else { return nil }
    return composites[UInt64(first) << 32 | UInt64(second)]
  }

  /// Composites by their pair: what the first scalars of a full decomposition compose to, and its
  /// last.
  private static let composites: [UInt64: UInt32] = {
    var byParts: [[Unicode.Scalar]: UInt32] = [:]
    for (scalar, parts) in canonical where parts.count > 1 {
      let properties = Unicode.Scalar(scalar)!.properties
      if !properties.isFullCompositionExclusion { byParts[parts] = scalar }
    }
    var composites: [UInt64: UInt32] = [:]
    for (parts, scalar) in byParts {
      let first = parts.count == 2 ? parts[0].value : byParts[Array(parts.dropLast())]
      if let first, let last = parts.last {
        composites[UInt64(first) << 32 | UInt64(last.value)] = scalar
      }
    }
    return composites
  }()
}
