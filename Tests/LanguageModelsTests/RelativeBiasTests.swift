import LanguageModels
import Tensors
import TestSupport
import Testing

@Suite("Relative bias")
struct RelativeBiasTests {
  @Test("Buckets begin at the distances at which the published code begins them")
  func buckets() {
    let starts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91]
    let bias = RelativeBias(table: Tensor(repeating: 0, [32, 2]), farthest: 128)
    for distance in 0..<1024 {
      let expected = (starts.firstIndex { $0 > distance } ?? starts.count) - 1
      #expect(bias.bucket(distance) == expected, "\(distance) behind")
      if distance > 0 { #expect(bias.bucket(-distance) == 16 + expected, "\(distance) ahead") }
    }
  }

  @Test("A score gets its head's number for the bucket of its query and key")
  func values() throws {
    var random = SeededGenerator(seed: 4)
    let table = (0..<64).map { _ in Double.random(in: -1...1, using: &random) }
    let bias = RelativeBias(table: Tensor(table, [32, 2], .float64), farthest: 128)
    let count = 20
    let found = bias.values(count)
    #expect(found.shape == [1, 2, count, count])
    let expected = (0..<2).flatMap { head in
      (0..<count).flatMap { query in
        (0..<count).map { table[bias.bucket(query - $0) * 2 + head] }
      }
    }
    #expect(try found.values() == expected)
  }
}
