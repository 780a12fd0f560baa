import Attribution
import Foundation
import LanguageModels
import Results
import Tensors
import TestSupport
import Testing

/// Paths over functions whose integrals are known in closed form.
@Suite("Paths over plain functions")
struct GoldenIntegralsTests {
  /// Scores of a function's values, from one point to another; it shows them as sites.
  private func scores(
    from start: [Double], to end: [Double], _ rule: PathRule, _ estimator: PathEstimator,
    at site: Site = .embedding, rules: BackwardRules = .gradient,
    of function: @escaping PathFunction
  ) throws -> [Double] {
    let path = PathIntegral(
      .embedding, from: Tensor(start, [1, start.count], .float64),
      to: Tensor(end, [1, end.count], .float64), rules: rules, of: function)
    return try path.scores(of: [site], rule, estimator).values[site]?.values() ?? []
  }

  private func column(_ x: Tensor, _ index: Int) -> Tensor {
    x.slice(index..<index + 1, along: 1).reshaped([-1])
  }

  @Test("A product is shared half and half, where the gradient counts it twice")
  func product() throws {
    let (a, b) = (3.0, -2.0)
    let function: PathFunction = { x, _ in column(x, 0) * column(x, 1) }
    // One node is enough for a linear gradient, in the middle; two for the trapezoid.
    for rule in [
      PathRule.midpoint(1), .gaussLegendre(1), .trapezoid(1), .adaptive(tolerance: 1e-9),
    ] {
      let found = try scores(from: [0, 0], to: [a, b], rule, .endPoint, of: function)
      #expect(distance(found, [a * b / 2, a * b / 2]).error < 1e-12, "\(rule)")
    }
    let gradient = try scores(from: [0, 0], to: [a, b], .right(1), .endPoint, of: function)
    #expect(gradient == [a * b, a * b])
    let start = try scores(from: [0, 0], to: [a, b], .left(1), .endPoint, of: function)
    #expect(start == [0, 0])
  }

  @Test("What saturates has no gradient and all of the integral")
  func saturation() throws {
    let function: PathFunction = { x, _ in (column(x, 0) * -1 + 1).relu * -1 + 1 }
    #expect(try scores(from: [0], to: [2], .right(1), .endPoint, of: function) == [0])
    #expect(try scores(from: [0], to: [2], .midpoint(2), .endPoint, of: function) == [1])
    #expect(
      abs(try scores(from: [0], to: [2], .midpoint(1000), .endPoint, of: function)[0] - 1) < 1e-12)
    let refined = try scores(
      from: [0], to: [2], .adaptive(tolerance: 1e-3), .endPoint, of: function)
    #expect(abs(refined[0] - 1) <= 1e-3)
  }

  @Test("Of the smaller of two numbers, the smaller one gets all")
  func smaller() throws {
    // min(a, b) = a − relu(a − b)
    let function: PathFunction = { x, _ in
      column(x, 0) - (column(x, 0) - column(x, 1)).relu
    }
    let found = try scores(from: [0, 0], to: [1, 2], .midpoint(8), .endPoint, of: function)
    #expect(distance(found, [1, 0]).error < 1e-12)
  }

  @Test("Each rule is exact for the polynomials that it must be, and not beyond")
  func orders() throws {
    // ∫₀¹ p′ = 1 of p = x^d.
    func error(_ rule: PathRule, degree: Int) throws -> Double {
      let found = try scores(from: [0], to: [1], rule, .endPoint) { x, _ in
        (1..<degree).reduce(column(x, 0)) { power, _ in power * column(x, 0) }
      }
      return abs(found[0] - 1)
    }
    for n in 1...5 {
      #expect(try error(.gaussLegendre(n), degree: 2 * n) < 1e-13)
      #expect(try error(.gaussLegendre(n), degree: 2 * n + 1) > 1e-7)
    }
    #expect(try error(.midpoint(3), degree: 2) < 1e-13)
    #expect(try error(.trapezoid(3), degree: 2) < 1e-13)
    // p′ = 2x: ∓1/N; 3x²: −1/(4N²), 1/(2N²).
    #expect(abs(try error(.left(10), degree: 2) - 0.1) < 1e-13)
    #expect(abs(try error(.right(10), degree: 2) - 0.1) < 1e-13)
    #expect(abs(try error(.midpoint(10), degree: 3) - 0.0025) < 1e-13)
    #expect(abs(try error(.trapezoid(10), degree: 3) - 0.005) < 1e-13)
  }

  @Test("Random places are the mean of slopes there, the same for a seed")
  func random() throws {
    func mean(_ samples: Int, seed: Int) throws -> Double {
      try scores(from: [0], to: [1], .random(samples, seed: seed), .endPoint) { x, _ in
        column(x, 0) * column(x, 0)
      }[0]
    }
    #expect(try mean(5, seed: 1) == mean(5, seed: 1))
    #expect(try mean(5, seed: 1) != mean(5, seed: 2))
    // The deviation of a mean of 2u, u even on [0, 1], is 1/√(3 n).
    let deviation = 1 / (3.0 * 4000).squareRoot()
    #expect(abs(try mean(4000, seed: 3) - 1) < 4 * deviation)
  }

  @Test("A value that follows: conductance is the integral over the value, the path's mean is not")
  func following() throws {
    // y = x², m = y³: ∫ 3y² dy = 1, and the mean slope ∫ 3x⁴ dx = 3/5.
    let site = Site.residual(0, .before)
    let function: PathFunction = { x, pass in
      let y = pass(site, x * x)
      return (y * y * y).reshaped([-1])
    }
    func score(_ rule: PathRule, _ estimator: PathEstimator) throws -> Double {
      try scores(from: [0], to: [1], rule, estimator, at: site, of: function)[0]
    }
    #expect(abs(try score(.gaussLegendre(4), .endPoint) - 0.6) < 1e-13)
    #expect(abs(try score(.gaussLegendre(4), .influence) - 0.6) < 1e-13)
    let (left, right) = try (score(.left(10), .stieltjes), score(.right(10), .stieltjes))
    #expect(left < 1 && right > 1)
    #expect(abs(try score(.trapezoid(10), .stieltjes) - (left + right) / 2) < 1e-13)
    #expect(abs(try score(.trapezoid(1000), .stieltjes) - 1) < 1e-5)
    #expect(abs(try score(.midpoint(1000), .stieltjes) - 1) < 1e-5)
    #expect(abs(try score(.gaussLegendre(200), .stieltjes) - 1) < 1e-3)
  }

  // A net of one rectifier behind weights of ones: y = W₂ relu(W₁ x + b₁) + b₂, whose integrals have breaks at
  // places that the midpoints of 100 steps keep clear of.
  private static let read = Site.residual(0, .before)
  private static let before = Site.residual(0, .middle)
  private static let after = Site.residual(0, .after)
  private static let made = Site.residual(1, .after)

  private let net: PathFunction = { x, pass in
    func ones(_ rows: Int, _ columns: Int) -> Tensor {
      Tensor(repeating: 1, [rows, columns], .float64)
    }
    let read = pass(GoldenIntegralsTests.read, x * 1)
    let before = pass(
      GoldenIntegralsTests.before,
      read.linear(ones(4, 3), bias: Tensor([-10, 1, 1, 1], [4], .float64)))
    let after = pass(GoldenIntegralsTests.after, before.relu)
    let made = pass(
      GoldenIntegralsTests.made, after.linear(ones(2, 4), bias: Tensor([-1, 1], [2], .float64)))
    return made.slice(0..<1, along: 1).reshaped([-1])
  }

  @Test("Conductance of a rectifier's net: exact at every layer")
  func conductanceOfNet() throws {
    let known: [(site: Site, numbers: [Double])] = [
      (.embedding, [0, 390, 0]), (Self.read, [0, 390, 0]), (Self.before, [90, 100, 100, 100]),
      (Self.after, [90, 100, 100, 100]), (Self.made, [390, 0]),
    ]
    for (site, numbers) in known {
      let found = try scores(
        from: [0, 0, 0], to: [0, 100, 0], .midpoint(100), .stieltjes, at: site, of: net)
      #expect(distance(found, numbers).error < 1e-12, "\(site): \(found)")
    }
  }

  @Test("Internal influence of a rectifier's net: exact, from zero and from below")
  func influenceOfNet() throws {
    func found(_ start: [Double], _ end: [Double], _ site: Site) throws -> [Double] {
      try scores(from: start, to: end, .midpoint(100), .influence, at: site, of: net)
    }
    #expect(
      distance(try found([0, 0, 0], [0, 100, 0], Self.read), [3.9, 3.9, 3.9]).error < 1e-12)
    #expect(
      distance(try found([0, 0, 0], [0, 100, 0], Self.before), [0.9, 1, 1, 1]).error < 1e-12)
    #expect(
      distance(try found([0, -20, 0], [0, 80, 0], Self.before), [0.7, 0.81, 0.81, 0.81]).error
        < 1e-12)
  }

  @Test("A step without a gradient shares out nothing and breaks nothing")
  func flatSteps() throws {
    // relu(x − 1) from 0 to 2: the gradient at 0 is none.
    let function: PathFunction = { x, _ in (column(x, 0) + -1).relu }
    #expect(try scores(from: [0], to: [2], .left(1), .squaredShare, of: function) == [0])
    let found = try scores(from: [0], to: [2], .right(4), .squaredShare, of: function)
    #expect(abs(found[0] - 1) < 1e-12)
  }

  @Test("A tolerance is kept where nearly all happens near the start")
  func sharpStart() throws {
    // x/√(x² + ε), as a norm does to a stream that begins at nothing.
    for epsilon in [1e-2, 1e-5, 1e-8] {
      let function: PathFunction = { x, _ in
        let y = column(x, 0)
        return y * (y * y + epsilon).reciprocalSquareRoot
      }
      let whole = 1 / (1 + epsilon).squareRoot()
      for tolerance in [1e-3, 1e-6] {
        let found = try scores(
          from: [0], to: [1], .adaptive(tolerance: tolerance), .endPoint, of: function)
        #expect(abs(found[0] - whole) <= tolerance * whole, "\(epsilon), \(tolerance)")
      }
    }
  }

  @Test("Errors of two tokens that cancel in the sum are not taken for an answer")
  func cancelling() throws {
    // m = x + tanh 20(x − 0.4) − tanh 20(y − 0.4): what x gets too much, y gets too little, to the last bit.
    let function: PathFunction = { x, _ in
      let rows = x.reshaped([-1, 2])
      func step(_ value: Tensor) -> Tensor { ((value + -0.4) * 20).tanh }
      return column(rows, 0) + step(column(rows, 0)) - step(column(rows, 1))
    }
    let path = PathIntegral(
      .embedding, from: Tensor([0, 0], [1, 2, 1], .float64),
      to: Tensor([1, 1], [1, 2, 1], .float64), of: function)
    for tolerance in [1e-3, 1e-6] {
      let found = try path.scores(of: [.embedding], .adaptive(tolerance: tolerance), .endPoint)
      let scores = try found.values[.embedding]?.values() ?? []
      let step = tanh(20 * 0.6) - tanh(-20 * 0.4)
      #expect(distance(scores, [1 + step, -step]).error < 4 * tolerance, "\(tolerance)")
      #expect(Double(found.nodes) == found.passes.backward)
    }
  }

  @Test(
    "A tolerance costs a smooth path few nodes, and nodes that are there are not run again",
    arguments: [(1e-3, 9), (1e-9, 17)])
  func nodesOfASmoothPath(tolerance: Double, nodes: Int) throws {
    var rows = 0
    let function: PathFunction = { x, _ in
      rows += x.size(0)
      return (column(x, 0) * 2).tanh
    }
    let path = PathIntegral(
      .embedding, from: Tensor([0], [1, 1], .float64), to: Tensor([1], [1, 1], .float64),
      of: function)
    let found = try path.scores(of: [.embedding], .adaptive(tolerance: tolerance), .endPoint)
    #expect(found.nodes == nodes)
    #expect(rows == nodes)
    #expect(found.passes == PassCount(forward: Double(nodes), backward: Double(nodes)))
    let score = try found.values[.embedding]?.values()[0] ?? .nan
    #expect(abs(score - tanh(2)) < tolerance)
  }

  @Test("A tolerance finds no nodes for steps of values, in words that say what to do")
  func refusal() throws {
    do {
      _ = try scores(from: [0], to: [1], .adaptive(tolerance: 1e-3), .stieltjes) { x, _ in
        column(x, 0)
      }
      Issue.record("nothing was thrown")
    } catch let error as AttributionError {
      #expect(error.code == .usage)
      #expect(
        error.message
          == "A tolerance finds nodes for integrated gradients, not for stieltjes steps; give their number "
          + "with --steps.")
    }
  }
}
