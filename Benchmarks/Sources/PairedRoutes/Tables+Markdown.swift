import Foundation
import Telescope

extension Tables {
  /// What the tables show; all other numbers are in the CSV.
  private static let shown: [AgreementQuantity] = [
    .publishedL2, .publishedCorrelation, .withSelf(.scaledResidual), .withoutSelf(.scaledResidual),
    .withoutSelf(.cosine), .withoutSelf(.spearman), .withoutSelf(.topOverlap),
  ]

  /// Tables for people.
  public var markdown: String {
    let (improper, shares) = outcome.improperShares
    return """
      \(source.model), \(source.split), \(outcome.sentences) sentences; integrals: \
      \(source.quadrature); boundary: \(source.boundary); intervals: 95 %, \(source.resamples) bootstrap resamples of sentences.

      ### The best composition by each score

      ✓ beats every null predictor, ✗ loses to one, ~ neither (whole 95 % intervals of paired \
      differences).

      \(bestTable)

      \(LayerBaseline.allCases.map(pairTable).joined(separator: "\n\n"))

      ### Layer by layer

      Residual without the self entry.

      \(layerTable)

      ### Completeness

      |Σ sources − total| / total of the maps that were integrated.

      \(completenessTable)

      Shares of ratio variants outside [0, 1]: \(improper) of \(shares).

      """
  }

  private var bestTable: String {
    let lines = LayerBaseline.allCases.flatMap { reference in
      [Composition.product, .conserving].flatMap { composition in
        Self.shown.compactMap { quantity -> [String]? in
          guard let best = outcome.best(composition, of: reference, by: quantity) else {
            return nil
          }
          return [
            reference.publishedName, composition.rawValue, quantity.heading,
            best.row.pair.title, cell(best.value) + best.standing.mark,
            best.null.map { "\($0.name) \(cell($0.value))" } ?? "none has it",
          ]
        }
      }
    }
    return table(
      ["layer", "rule", "score", "best ATT × MLP", "its score", "best null predictor"], lines)
  }

  private func pairTable(_ reference: LayerBaseline) -> String {
    let heads =
      ["composition", "published L2 ± sd", "published corr ± sd"]
      + Self.shown.dropFirst(2).map(\.heading) + ["sum off"]
    func line(
      _ name: String, _ published: PublishedAgreement?, _ overall: AgreementIntervals,
      _ sumError: Double?, _ standing: (AgreementQuantity) -> PairSummary.Standing?
    ) -> [String] {
      func mark(_ quantity: AgreementQuantity) -> String { standing(quantity)?.mark ?? "" }
      return [
        name,
        published.map { short($0.l2Mean) + " ± " + short($0.l2Deviation) + mark(.publishedL2) }
          ?? "",
        published.map {
          short($0.correlationMean) + " ± " + short($0.correlationDeviation)
            + mark(.publishedCorrelation)
        } ?? "",
      ]
        + Self.shown.dropFirst(2).map { quantity in
          overall[quantity].map { cell($0) + mark(quantity) } ?? "–"
        } + [sumError.map(short) ?? ""]
    }
    let nulls = outcome.nulls.filter { $0.reference == FlowWay.layer(reference).name }.map {
      line("*\($0.name)*", $0.published, $0.overall, nil) { _ in nil }
    }
    let rows = outcome.rows.filter { $0.pair.layer == reference }.map { row in
      line(
        row.pair.halves == nil
          ? row.pair.title : row.pair.composition.rawValue + " " + row.pair.title,
        row.scores.published,
        row.scores.overall, row.sumError
      ) { row.scores.standing($0) }
    }
    return "### Layer maps from \(reference.publishedName)\n\n" + table(heads, nulls + rows)
  }

  private var completenessTable: String {
    table(
      ["map", "columns", "mean", "median", "99 %", "largest", "≤ 1e-3"],
      outcome.completeness.sorted { $0.key < $1.key }.map { name, spread in
        [name, "\(spread.count)"]
          + [spread.mean, spread.median, spread.percentile99, spread.largest].map {
            String(format: "%.1e", $0)
          } + [String(format: "%.2f %%", 100 * spread.withinThousandth)]
      })
  }

  private var layerTable: String {
    let quantity = AgreementQuantity.withoutSelf(.scaledResidual)
    func line(
      _ reference: LayerBaseline, _ name: String,
      _ layers: [(layer: Int, scores: AgreementIntervals)]
    ) -> [String] {
      [reference.publishedName, name] + layers.map { $0.scores[quantity].map(cell) ?? "–" }
    }
    let lines = LayerBaseline.allCases.flatMap { reference in
      [Composition.product, .conserving].compactMap {
        outcome.best($0, of: reference, by: quantity)
      }.map { best in
        line(
          reference, "\(best.row.pair.composition) \(best.row.pair.title)",
          best.row.scores.layers)
      }
        + outcome.nulls.filter {
          $0.reference == FlowWay.layer(reference).name && $0.name != "zero"
        }.map { line(reference, "*\($0.name)*", $0.layers) }
    }
    let layers = outcome.rows.first?.scores.layers.map { "layer \($0.layer)" } ?? []
    return table(["map", "composition"] + layers, lines)
  }

  private func short(_ value: Double) -> String { String(format: "%.3f", value) }

  private func cell(_ interval: ScoreInterval) -> String {
    "\(short(interval.mean)) [\(short(interval.low)), \(short(interval.high))]"
  }

  private func table(_ heads: [String], _ lines: [[String]]) -> String {
    ([heads, heads.map { _ in "---" }] + lines)
      .map { "| " + $0.map { $0.isEmpty ? " " : $0 }.joined(separator: " | ") + " |" }
      .joined(separator: "\n")
  }
}

extension AgreementQuantity {
  /// What a table's head calls it.
  var heading: String {
    switch self {
    case .publishedL2: "published L2"
    case .publishedCorrelation: "published corr"
    case .withSelf(let measure): Self.heading(measure) + ", all"
    case .withoutSelf(let measure): Self.heading(measure) + ", no self"
    }
  }

  private static func heading(_ measure: AgreementMeasure) -> String {
    switch measure {
    case .relativeL2: "relative L2"
    case .shareL2: "share L2"
    case .scaledResidual: "residual"
    case .cosine: "cosine"
    case .pearson: "Pearson"
    case .spearman: "Spearman"
    case .topOverlap: "top 3"
    }
  }
}

extension PairSummary.Standing {
  /// Behind a number in a table.
  var mark: String {
    switch self {
    case .beats: " ✓"
    case .undecided: " ~"
    case .loses: " ✗"
    }
  }
}
