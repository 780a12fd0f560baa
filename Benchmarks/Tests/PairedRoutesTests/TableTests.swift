import PairedRoutes
import Telescope
import Testing

@Suite("Tables of the experiment")
struct TableTests {
  private func outcome() throws -> Outcome {
    var experiment = Experiment()
    let model = try smallModel()
    for ids in [[3, 9, 4, 11, 7], [8, 2, 6, 10], [1, 12, 5, 9, 4, 2]] {
      experiment.add(
        try SentenceAgreement(
          ids, in: model, visibility: everything, quadrature: .fixed(nodes: 8)))
    }
    return experiment.outcome(resamples: 50)
  }

  private func tables(_ outcome: Outcome) -> Tables {
    Tables(
      outcome,
      of: .init(
        model: "small", split: "made, up", range: 0...2, quadrature: "8 nodes",
        boundary: "strict", resamples: 50))
  }

  @Test("The CSV begins with the published columns and has a line for each pair and null predictor")
  func csv() throws {
    let outcome = try outcome()
    let lines = tables(outcome).csv.split(separator: "\n").map(String.init)
    let published =
      "pair_name,pair_key,layer_ig_baseline_group,layer_ig_baseline,att_ig_baseline,mlp_ig_baseline,"
      + "split,sample_start,sample_end,layer_ig_dir_suffix,composed_dir_suffix,n_pairs,n_samples,"
      + "l2_mean,l2_std,corr_mean,corr_std,"
    #expect(lines[0].hasPrefix(published))
    #expect(lines.count == 1 + 51 + 3 * 4)
    let columns = lines[0].split(separator: ",", omittingEmptySubsequences: false)
    #expect(Set(columns).count == columns.count)
    // The one field with a comma stands between quotation marks.
    for line in lines.dropFirst() {
      #expect(line.contains(#","made, up","#))
      let fields = line.replacing("\"made, up\"", with: "split")
        .split(separator: ",", omittingEmptySubsequences: false)
      #expect(fields.count == columns.count)
      #expect(fields[11] == "\(2 * (5 + 4 + 6))")
      #expect(fields[12] == "3")
      #expect(!line.contains("nan"))
    }
    #expect(
      lines[1].hasPrefix(
        "LAYER Zero vs product Zero × Zero,layer:zero|product:zero+zero,zero,zero,zero,zero,"))
    #expect(
      lines.contains {
        $0.hasPrefix("layer:itb vs null attention,layer:itb|null/attention,itb,itb,,,")
      })
    let layers = tables(outcome).layersCSV.split(separator: "\n")
    #expect(layers.count == 1 + 51 * 2)
  }

  @Test("The best by a distance is the smallest, by a correlation the largest")
  func best() throws {
    let outcome = try outcome()
    for quantity in [AgreementQuantity.publishedL2, .withoutSelf(.spearman)] {
      let best = try #require(outcome.best(.product, of: .itb, by: quantity))
      let all = outcome.rows.filter { $0.pair.layer == .itb && $0.pair.composition == .product }
        .compactMap { $0.scores.overall[quantity]?.mean }
      #expect(all.count == 8)
      #expect(best.value.mean == (quantity.isDistance ? all.min() : all.max()))
      let nulls = outcome.nulls.filter { $0.reference == "layer:itb" }
        .compactMap { $0.overall[quantity]?.mean }
      #expect(best.null?.value.mean == (quantity.isDistance ? nulls.min() : nulls.max()))
    }
    let exact = try #require(outcome.best(.exact, of: .itb, by: .publishedL2))
    #expect(exact.standing == .beats)
  }

  @Test("The page has every pair under its reference, with marks, and every null predictor without")
  func markdown() throws {
    let text = tables(try outcome()).markdown
    #expect(text.contains("3 sentences; integrals: 8 nodes; boundary: strict;"))
    for reference in ["Zero", "ITB", "ITB-zeroRatio"] {
      let start = try #require(text.range(of: "### Layer maps from \(reference)\n"))
      let lines = text[start.upperBound...].split(separator: "\n").prefix(2 + 4 + 17)
      #expect(
        lines.dropFirst(2).prefix(4).map { $0.split(separator: "|")[0] } == [
          " *zero* ", " *constant* ", " *attention* ", " *change* ",
        ])
      for line in lines.dropFirst(2).prefix(4) {
        #expect(!line.contains("✓") && !line.contains("✗") && !line.contains("~"))
      }
      #expect(lines.last?.hasPrefix("| exact |") == true)
      let marked = lines.dropFirst(6).filter {
        $0.contains("✓") || $0.contains("✗") || $0.contains("~")
      }
      #expect(marked.count == 17)
    }
    // Tables are rectangular.
    for block in text.split(separator: "\n\n") where block.hasPrefix("|") {
      #expect(Set(block.split(separator: "\n").map { $0.count { $0 == "|" } }).count == 1)
    }
  }

  @Test("A spread says where numbers lie, and there is none of no numbers")
  func spread() throws {
    #expect(Spread([]) == nil)
    let found = try #require(Spread((1...200).map { Double($0) * 1e-5 }))
    #expect(found.count == 200)
    #expect(abs(found.mean - 1.005e-3) < 1e-12)
    #expect(found.median == 101e-5)
    #expect(found.percentile99 == 199e-5)
    #expect(found.largest == 2e-3)
    #expect(found.withinThousandth == 0.5)
  }
}
