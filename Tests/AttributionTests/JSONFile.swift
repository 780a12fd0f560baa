import Foundation
import StrictJSON
import TestSupport

/// A stored reference, read for tests.
func reference(_ path: String) throws -> JSON {
  try JSON.parse([UInt8](Data(contentsOf: Fixtures.url(path))))
}

extension JSON {
  /// The numbers of a list, or none.
  var numbers: [Double] { array?.compactMap(\.double) ?? [] }
  /// The whole numbers of a list, or none.
  var integers: [Int] { array?.compactMap(\.integer) ?? [] }
}
