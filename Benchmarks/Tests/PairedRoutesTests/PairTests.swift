import Foundation
import PairedRoutes
import Telescope
import Testing

let fixtures = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent().appending(path: "Tests/Fixtures")

/// A small BERT with arbitrary weights.
func smallModel() throws -> any LanguageModel {
  try loadNetwork(
    of: Checkpoint(fixtures.appending(path: "models/bert-headless")), type: .float64)
}

let everything = [SourceVisibility(isCausal: false)]

@Suite("Pairs of routes")
struct PairTests {
  @Test(
    "There are the paper's 24 pairs, as many by the conserving rule, and an exact one of each reference"
  )
  func all() {
    let pairs = RoutePair.all
    #expect(pairs.count == 51)
    #expect(Set(pairs).count == 51)
    for reference in LayerBaseline.allCases {
      for (composition, count) in [(Composition.product, 8), (.conserving, 8), (.exact, 1)] {
        #expect(
          pairs.count { $0.layer == reference && $0.composition == composition } == count)
      }
    }
    #expect(pairs[0].reference == "layer:zero")
    #expect(pairs[0].route == "product:zero+zero")
    #expect(RoutePair(layer: .itb, way: .product(.itb, .attITB)).title == "ITB × ATTITBa=0")
  }

  @Test(
    "A pair whose maps are shared with others scores what it scores with maps made for it alone")
  func shared() throws {
    let model = try smallModel()
    let ids = [3, 9, 4, 11, 7]
    let quadrature = FlowQuadrature.fixed(nodes: 8)
    let sentence = try SentenceAgreement(
      ids, in: model, visibility: everything, quadrature: quadrature)
    #expect(sentence.agreements.count == 51)
    let flow = try TokenFlow(ids, in: model)
    let frame = AgreementFrame(
      layers: Array(0..<model.shape.layers), targets: Array(ids.indices), visibility: everything)
    for (pair, shared) in zip(RoutePair.all, sentence.agreements) {
      var options = FlowOptions()
      options.quadrature = quadrature
      options.granularities = [.layer, .attention, .feedForward]
      options.layerBaseline = pair.layer
      if let halves = pair.halves {
        options.attentionBaseline = halves.attention
        options.feedForwardBaseline = halves.feedForward
      }
      let layers = try flow.flows(options)
      let composed = try layers.map { layer in
        let attention = try #require(layer.attentionFlow?.array)
        let feedForward = try #require(layer.feedForwardFlow?.array)
        return switch pair.composition {
        case .product: productComposition(attention: attention, feedForward: feedForward)
        case .conserving:
          conservingComposition(
            attention: attention, feedForward: feedForward, targets: frame.targets)
        case .exact:
          exactComposition(try #require(layer.heads), targets: frame.targets)
        }
      }
      let own = flowAgreement(
        of: FlowRoute(pair.reference, layers.compactMap { $0.layerFlow?.array }, in: frame),
        with: FlowRoute(pair.route, composed, in: frame))
      for (one, other) in zip(own, shared.results) {
        #expect(one.routes == other.routes)
        #expect(one.columns == other.columns)
        for path in [\FlowAgreement.withSelf, \FlowAgreement.withoutSelf] {
          let (a, b) = (one[keyPath: path], other[keyPath: path])
          // A residual of rounding is not the same twice.
          #expect(close(a.relativeL2, b.relativeL2), "\(pair.reference) \(pair.route)")
          #expect(close(a.cosine, b.cosine), "\(pair.reference) \(pair.route)")
          #expect(close(a.spearman, b.spearman), "\(pair.reference) \(pair.route)")
        }
      }
    }
  }

  private func close(_ a: Double?, _ b: Double?) -> Bool {
    guard let a, let b else { return a == nil && b == nil }
    return abs(a - b) < 1e-9 * (1 + abs(a))
  }

  @Test("The exact composition agrees wholly, in every layer and with every reference")
  func exact() throws {
    let sentence = try SentenceAgreement(
      [3, 9, 4, 11, 7, 5], in: smallModel(), visibility: everything,
      quadrature: .fixed(nodes: 8))
    for (pair, agreement) in zip(RoutePair.all, sentence.agreements)
    where pair.composition == .exact {
      for result in agreement.results {
        #expect(result.withSelf.relativeL2.map { $0 < 1e-10 } == true)
        #expect(result.withoutSelf.spearman.map { $0 > 1 - 1e-9 } == true)
      }
    }
  }

  @Test(
    "The conserving rule with ITB and its own start keeps the sums of ITB's layer map, the product does not"
  )
  func sums() throws {
    let sentence = try SentenceAgreement(
      [3, 9, 4, 11, 7, 5], in: smallModel(), visibility: everything,
      quadrature: .fixed(nodes: 32))
    func largest(_ way: FlowWay) throws -> Double {
      let index = try #require(RoutePair.all.firstIndex(of: RoutePair(layer: .itb, way: way)))
      return sentence.sumErrors[index].max() ?? .infinity
    }
    #expect(try largest(.conserving(.itb, .attITB)) < 1e-6)
    #expect(try largest(.product(.itb, .attITB)) > 0.1)
    #expect(
      Set(sentence.completeness.keys) == [
        "layer zero", "layer itb", "attention zero", "attention itb", "feed-forward zero",
        "feed-forward att-itb",
      ])
  }
}
