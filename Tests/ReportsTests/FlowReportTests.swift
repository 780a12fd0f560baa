import Foundation
import Reports
import Results
import Testing

@Suite("The flow report")
struct FlowReportTests {
  private func text(
    _ result: FlowResult, _ width: Int, color: Bool = false, unicode: Bool = true, top: Int = 6
  ) -> String {
    FlowReport.text(
      for: result, style: TerminalStyle(width: width, color: color, unicode: unicode), top: top)
  }

  private func plain(_ text: String) -> String { text.replacing(/\u{1B}\[[0-9;]*m/, with: "") }

  // MARK: The terminal

  @Test("One layer at 100 columns: every map with every target, then the grid")
  func oneAt100() { #expect(text(FlowSamples.one, 100) == FlowGolden.oneAt100) }

  @Test("One layer at 44 columns in ASCII")
  func oneAt44() { #expect(text(FlowSamples.one, 44, unicode: false) == FlowGolden.oneAt44InASCII) }

  @Test("Three layers at 80 columns: a line for each")
  func manyAt80() { #expect(text(FlowSamples.many, 80) == FlowGolden.manyAt80) }

  @Test("Colour changes nothing but colour")
  func colour() {
    for result in [FlowSamples.one, FlowSamples.many, FlowSamples.decoder] {
      for width in [40, 80, 120] {
        let colored = text(result, width, color: true)
        #expect(plain(colored) == text(result, width))
        #expect(colored.contains("\u{1B}[38;5;208m"))
      }
    }
  }

  @Test("The strongest source of a target is the largest of its column, not of its row")
  func orientation() throws {
    var result = FlowSamples.one
    var array = try #require(result.layers[0].layerFlow?.array)
    array.values = Array(repeating: 0, count: 8)
    // From 2 to target 3, which is the second column.
    array.values[2 * 2 + 1] = 9
    result.layers[0].layerFlow?.array = array
    let lines = text(result, 100).split(separator: "\n")
    let rows = lines.filter { $0.contains("3 [SEP] ") && $0.contains("2 ␣sat +9.000") }
    #expect(rows.count == 1)
    #expect(!lines.contains { $0.hasPrefix("  1 ␣cat") && $0.contains("+9.000") })
  }

  @Test(
    "No line is wider than the terminal, and no control character reaches it",
    arguments: [20, 32, 44, 56, 80, 100, 200])
  func widths(_ width: Int) {
    for unicode in [true, false] {
      for result in [FlowSamples.one, FlowSamples.many, FlowSamples.hostile] {
        for single in [result, only(result)] {
          for line in text(single, width, unicode: unicode).split(separator: "\n") {
            #expect(DisplayText.columns(String(line)) <= width, "\(line)")
            let controls = line.unicodeScalars.filter {
              [.control, .format, .lineSeparator].contains($0.properties.generalCategory)
            }
            #expect(controls.isEmpty, "\(line)")
            if !unicode { #expect(line.utf8.allSatisfy { $0 < 0x80 }, "\(line)") }
          }
        }
      }
    }
  }

  /// The first layer alone.
  private func only(_ result: FlowResult) -> FlowResult {
    var result = result
    result.layers = [result.layers[0]]
    return result
  }

  @Test("A list of sources holds as many as asked")
  func top() {
    let line = text(FlowSamples.one, 200, top: 1).split(separator: "\n").first {
      $0.hasPrefix("  1 ␣cat")
    }
    #expect(line?.matches(of: /[+−][0-9]/).count == 1)
    #expect(!text(FlowSamples.one, 200, top: 0).contains("␣sat +"))
  }

  @Test("A result that asked for nothing says so")
  func nothing() {
    var result = FlowSamples.one
    result.layers = []
    #expect(text(result, 80).contains("\nnothing flows: no layer or no target was asked for\n"))
  }

  @Test("Numbers that stand in a file of their own and were not read are said to be missing")
  func elsewhere() {
    let light = FlowSamples.one.movingArrays(over: 0, to: "flow.safetensors").result
    #expect(
      text(light, 100).contains(
        "\nThe numbers of 'layers.2.layer_flow' stand in the file of arrays beside this result and "
          + "were not\n  read from it.\n"))
  }

  @Test("A result whose lists do not fit is not drawn: the first one is named")
  func damaged() {
    var result = FlowSamples.one
    result.layers[0].layerFlow?.nodes = [1]
    #expect(
      text(result, 200).contains(
        "\n'layers[0].layer_flow.nodes' of this result has 1 entries, and 'parameters.targets' has 2. "
          + "It is damaged or not from Telescope; write it again.\n"))
  }

  @Test("Targets above the tolerance are marked and counted, and others are not")
  func unconverged() {
    let report = text(FlowSamples.one, 100)
    #expect(report.contains("2.0e-03!"))
    #expect(report.contains("\n! 1 of 2 targets did not reach the tolerance with 64 nodes.\n"))
    var result = FlowSamples.one
    result.layers[0].layerFlow?.unconverged = []
    result.layers[0].attentionFlow?.unconverged = []
    result.layers[0].feedForwardFlow?.unconverged = []
    #expect(!text(result, 100).contains("!"))
    #expect(!text(result, 44).contains("!"))
  }

  // MARK: The table

  @Test("Each number is one row, at its own place")
  func csv() throws {
    let rows = FlowReport.csv(for: FlowSamples.many).components(separatedBy: "\r\n")
    #expect(
      rows[0] == "layer,map,quantity,source,source_token,target,target_token,head,value")
    #expect(rows.last?.isEmpty == true)
    // 52 numbers of maps and 20 about their integrals in each of three layers.
    #expect(rows.count == 3 * (8 + 16 + 4 + 16 + 2 + 8 + 6 + 10 + 6) + 2)
    let layer = FlowSamples.many.layers[1]
    let whole = try #require(layer.layerFlow)
    let heads = try #require(layer.heads)
    let attention = try #require(layer.attentionFlow)
    for row in [
      "2,\"layer_flow\",\"flow\",2,\" sat\",3,\"[SEP]\",,\(whole.array[2, 1])",
      "2,\"layer_flow\",\"flow\",3,\"[SEP]\",1,\" cat\",,\(whole.array[3, 0])",
      "2,\"heads.conductance\",\"flow\",0,\"[CLS]\",3,\"[SEP]\",3,\(heads.conductance[0, 1, 1])",
      "2,\"heads.residual\",\"residual\",,,3,\"[SEP]\",,\(heads.residual[1])",
      "2,\"attention_flow\",\"total\",,,1,\" cat\",3,\(attention.totals[0, 1])",
      "2,\"attention_flow\",\"completeness_error\",,,3,\"[SEP]\",0,0.002",
      "2,\"layer_flow\",\"nodes\",,,3,\"[SEP]\",,64",
      "2,\"composed.product\",\"flow\",1,\" cat\",3,\"[SEP]\",,\(layer.composed?["product"]?[1, 1] ?? 0)",
    ] {
      #expect(rows.count { $0 == row } == 1, "\(row)")
    }
  }

  @Test("Text is quoted as every table of the package quotes it")
  func csvText() {
    let table = FlowReport.csv(for: FlowSamples.hostile)
    #expect(table.contains(",1,\"<b>\u{202E}東\"\"\","))
    #expect(table.contains(",3,\"=1+1,\r\n\","))
    #expect(table.contains("0,\"composed.<b>\"\"&\u{1B}\",\"flow\",0,"))
  }

  // MARK: The published layout

  private func lig(_ result: FlowResult) throws -> [String: Any] {
    try #require(
      JSONSerialization.jsonObject(with: FlowReport.lig(for: result)) as? [String: Any])
  }

  @Test("Matrices are matrix[source][target], and every list goes over sources")
  func ligNumbers() throws {
    let result = FlowSamples.many
    let layers = try #require(try lig(result)["layers"] as? [String: [String: Any]])
    #expect(layers.keys.sorted() == ["0", "2", "5"])
    let layer = try #require(layers["5"])
    let whole = try #require(result.layers[2].layerFlow?.array)
    let map = try #require(layer["z2z"] as? [String: Any])
    let matrix = try #require(map["matrix"] as? [[Double]])
    #expect(map["shape"] as? [Int] == [4, 2])
    #expect(matrix.map { $0[1] } == (0..<4).map { whole[$0, 1] })
    let received = try #require(map["token_to_token"] as? [[String: Any]])
    let last = try #require(received.last)
    #expect(last["target_token_idx"] as? Int == 3)
    #expect(last["target_token"] as? String == "[SEP]")
    let sent = try #require(last["contributions"] as? [[String: Any]])
    #expect(sent.map { $0["source_token_idx"] as? Int } == [0, 1, 2, 3])
    #expect(sent.map { $0["source_token"] as? String } == FlowSamples.texts)
    #expect(sent.map { $0["value"] as? Double } == (0..<4).map { whole[$0, 1] })

    let attention = try #require(result.layers[2].attentionFlow?.array)
    let target = try #require((layer["targets"] as? [String: [String: Any]])?["3"])
    let heads = try #require(
      (target["z2u"] as? [String: Any])?["heads"] as? [String: [String: Any]])
    #expect(heads.keys.sorted() == ["0", "3"])
    let list = (0..<4).map { attention[$0, 1, 1] }
    #expect(heads["3"]?["contributions"] as? [Double] == list)
    let norm = try #require(heads["3"]?["token_l2_norm"] as? Double)
    #expect(abs(norm - list.map { $0 * $0 }.reduce(0, +).squareRoot()) < 1e-12)
  }

  @Test("Keys are those of the published package, of an encoder and of a decoder")
  func ligKeys() throws {
    func keys(_ value: Any?) -> [String] { ((value as? [String: Any]) ?? [:]).keys.sorted() }
    let encoder = try lig(FlowSamples.one)
    let decoder = try lig(FlowSamples.decoder)
    #expect(
      keys(encoder) == ["boundaries", "config", "layers", "model", "model_type", "text", "tokens"])
    #expect(decoder["architecture"] as? String == "decoder")
    #expect(encoder["tokens"] as? [String] == FlowSamples.texts)
    let config = try #require(encoder["config"] as? [String: Any])
    #expect(
      keys(config) == [
        "baseline_att", "baseline_layer", "baseline_mlp", "granularity",
        "include_residual_connection", "layers", "num_steps", "target_head", "target_tokens",
      ])
    #expect(config["granularity"] as? [String] == ["att", "mlp", "layer"])
    #expect(config["baseline_att"] as? String == "self_input_token")
    #expect(config["baseline_mlp"] as? String == "att_itb_a0")
    #expect(config["num_steps"] as? Int == 64)
    #expect(config["target_head"] is NSNull)
    #expect(config["target_tokens"] as? [Int] == [1, 3])
    #expect((decoder["config"] as? [String: Any])?["num_steps"] as? Int == 24)
    func feedForward(_ document: [String: Any]) throws -> [String: Any] {
      let layers = try #require(document["layers"] as? [String: [String: Any]])
      let target = try #require((layers["2"]?["targets"] as? [String: [String: Any]])?["3"])
      #expect(keys(target) == ["target_token", "target_token_idx", "u2z", "z2u"])
      return try #require(target["u2z"] as? [String: Any])
    }
    let map = try #require(FlowSamples.one.layers[0].feedForwardFlow)
    let (sum, total) = (map.array[1, 0] + map.array[1, 1], map.totals[1])
    let ofEncoder = try feedForward(encoder)
    #expect(keys(ofEncoder) == ["baseline", "completeness", "description"])
    let completeness = try #require(ofEncoder["completeness"] as? [String: Double])
    #expect(completeness.keys.sorted() == ["error", "mean_abs_error"])
    #expect(abs((completeness["error"] ?? 0) - (sum - total)) < 1e-12)
    #expect(abs((completeness["mean_abs_error"] ?? 0) - abs(sum - total)) < 1e-9)
    let ofDecoder = try feedForward(decoder)
    #expect(keys(ofDecoder) == ["baseline", "completeness", "description", "l2_total"])
    #expect(keys(ofDecoder["completeness"]) == ["max_abs_error", "mean_abs_error"])
    #expect(ofDecoder["l2_total"] as? Double == sum)
  }

  @Test("A result of the layer's map alone has no targets, and one of some heads no signed error")
  func ligParts() throws {
    var result = FlowSamples.one
    result.layers[0].attentionFlow = nil
    result.layers[0].feedForwardFlow = nil
    let layers = try #require(try lig(result)["layers"] as? [String: [String: Any]])
    #expect(layers["2"]?.keys.sorted() == ["layer_idx", "z2z"])
    // The sum is now of heads that are not all: it misses the total by more than the integral does.
    result = FlowSamples.one
    result.layers[0].feedForwardFlow?.array.values[2] += 1
    let text = String(decoding: try FlowReport.lig(for: result), as: UTF8.self)
    #expect(text.components(separatedBy: "\"error\":").count == 2)
  }

  @Test("A number that is not finite is refused by name")
  func ligFinite() {
    var result = FlowSamples.one
    result.layers[0].attentionFlow?.array.values[3] = .infinity
    let error = ResultsError(
      code: .notFinite,
      message: "'layers.2.attention_flow' is not a finite number, so the result cannot be written. "
        + "The model's numbers overflowed; compute in a wider dtype.")
    #expect(throws: error) { try FlowReport.lig(for: result) }
    #expect(throws: error) { try FlowReport.html(for: result) }
  }
}
