import Attribution
import Foundation
import Testing

@Suite("Quadrature")
struct QuadratureTests {
  @Test("Weights sum to 1 and nodes ascend within (0, 1)", arguments: [1, 2, 3, 8, 16, 64, 1024])
  func weights(count: Int) {
    for rule in [Quadrature.midpoint(count), .gaussLegendre(count)] {
      #expect(abs(rule.weights.reduce(0, +) - 1) < 1e-13)
      #expect(rule.nodes.count == count)
      #expect(zip(rule.nodes, rule.nodes.dropFirst()).allSatisfy { $0 < $1 })
      #expect(rule.nodes.allSatisfy { $0 > 0 && $0 < 1 })
    }
  }

  @Test(
    "Gauss–Legendre with n nodes integrates degree 2n − 1 exactly, and not degree 2n",
    arguments: [1, 2, 3, 5, 8])
  func exactness(count: Int) {
    let rule = Quadrature.gaussLegendre(count)
    func integral(_ degree: Int) -> Double {
      zip(rule.nodes, rule.weights).reduce(0) { $0 + $1.1 * pow($1.0, Double(degree)) }
    }
    for degree in 0..<2 * count {
      #expect(abs(integral(degree) - 1 / Double(degree + 1)) < 1e-14)
    }
    #expect(abs(integral(2 * count) - 1 / Double(2 * count + 1)) > 1e-10)
  }

  @Test("The midpoint rule has its known error on t²: 1/(12 n²)")
  func midpoint() {
    let rule = Quadrature.midpoint(10)
    let found = zip(rule.nodes, rule.weights).reduce(0) { $0 + $1.1 * $1.0 * $1.0 }
    #expect(abs(found - (1.0 / 3 - 1.0 / 1200)) < 1e-14)
  }

  @Test(
    "Clenshaw–Curtis with n steps integrates degree n exactly, and not degree n + 2",
    arguments: [2, 4, 8, 16])
  func clenshawCurtis(steps: Int) {
    let rule = Quadrature.clenshawCurtis(steps)
    func integral(_ degree: Int) -> Double {
      zip(rule.nodes, rule.weights).reduce(0) { $0 + $1.1 * pow($1.0, Double(degree)) }
    }
    for degree in 0...steps + 1 {
      #expect(abs(integral(degree) - 1 / Double(degree + 1)) < 1e-14)
    }
    // What the next polynomial of Chebyshev's misses, T of n + 2, is of the size 1/n³.
    let missed = zip(rule.nodes, rule.weights).reduce(0) {
      $0 + $1.1 * cos(Double(steps + 2) * acos(1 - 2 * $1.0))
    }
    let n = Double(steps + 2)
    #expect(abs(missed - 1 / (1 - n * n)) > 1e-4 / n)
    #expect(rule.weights.allSatisfy { $0 > 0 })
    #expect(rule.nodes.first == 0 && abs((rule.nodes.last ?? 0) - 1) < 1e-15)
  }

  @Test("The nodes of n steps are among those of 2n", arguments: [2, 4, 8, 16])
  func nested(steps: Int) {
    let fine = Quadrature.clenshawCurtis(2 * steps).nodes
    for (k, node) in Quadrature.clenshawCurtis(steps).nodes.enumerated() {
      #expect(abs(node - fine[2 * k]) < 1e-15)
    }
  }
}
