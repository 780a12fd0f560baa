import Foundation
import Reports
import Results
import Testing

/// What circuit-tracer's own models of its graph files demand, and what its front end reads from them.
@Suite("The graph for circuit-tracer")
struct CircuitGraphTests {
  private typealias Object = [String: Any]

  private func graph(_ result: CircuitResult, slug: String = "circuit") throws -> Object {
    let data = try CircuitReport.graph(for: result, slug: slug)
    #expect(data.last == UInt8(ascii: "\n"))
    return try #require(JSONSerialization.jsonObject(with: data) as? Object)
  }

  private func nodes(_ graph: Object) throws -> [Object] {
    try #require(graph["nodes"] as? [Object])
  }

  private func keys(_ value: Any?) -> [String] { ((value as? Object) ?? [:]).keys.sorted() }

  @Test("Keys are those of the published models, of every kind of node")
  func layout() throws {
    let graph = try graph(CircuitSamples.edges)
    #expect(graph.keys.sorted() == ["links", "metadata", "nodes", "qParams"])
    #expect(
      keys(graph["qParams"]) == ["clickedId", "linkType", "pinnedIds", "sg_pos", "supernodes"])
    #expect(
      keys(graph["metadata"]) == [
        "prompt", "prompt_tokens", "scan", "schema_version", "slug", "transcoder_list",
      ])
    for node in try nodes(graph) {
      #expect(
        node.keys.sorted() == [
          "activation", "clerp", "ctx_idx", "feature", "feature_type", "influence",
          "is_target_logit", "jsNodeId", "layer", "node_id", "reverse_ctx_idx", "run_idx",
          "token_prob",
        ])
      #expect(node["layer"] is String && node["feature"] is Int && node["ctx_idx"] is Int)
    }
    for link in try #require(graph["links"] as? [Object]) {
      #expect(link.keys.sorted() == ["source", "target", "weight"])
    }
  }

  @Test("Units, tokens and the metric have the names, layers and labels that the front end reads")
  func mapping() throws {
    let nodes = try nodes(try graph(CircuitSamples.edges))
    #expect(nodes.count == 4 + 3 + 1)
    let unit = nodes[1]
    #expect(unit["node_id"] as? String == "1_7_1")
    #expect(unit["layer"] as? String == "1" && unit["ctx_idx"] as? Int == 1)
    #expect(unit["feature_type"] as? String == "cross layer transcoder")
    #expect(unit["activation"] as? Double == 0.5)
    #expect(unit["clerp"] as? String == "neuron 1/7")
    // Cantor's pairing of 1 and 7, which the front end takes apart again.
    #expect(unit["feature"] as? Int == 43)
    #expect(nodes[3]["activation"] is NSNull)
    let token = nodes[5]
    #expect(token["node_id"] as? String == "E_21_1" && token["layer"] as? String == "E")
    #expect(token["feature_type"] as? String == "embedding")
    let goal = nodes[7]
    #expect(goal["node_id"] as? String == "5_1_2" && goal["layer"] as? String == "5")
    #expect(goal["feature_type"] as? String == "logit" && goal["is_target_logit"] as? Bool == true)
    // It splits at straight quotation marks and at "(p=": neither may come from a token.
    let label = try #require(goal["clerp"] as? String)
    #expect(label == "Output \" are\" − \" ″is\" (p=?)")
    #expect(label.components(separatedBy: "\"")[1] == " are")
    #expect(nodes.filter { $0["is_target_logit"] as? Bool == true }.count == 1)
  }

  @Test("Pairs of a layer and a unit come back from their number")
  func pairing() throws {
    for node in try nodes(try graph(CircuitSamples.edges)).prefix(4) {
      let number = try #require(node["feature"] as? Int)
      let diagonal = Int((Double(8 * number + 1).squareRoot() - 1) / 2)
      let unit = number - diagonal * (diagonal + 1) / 2
      let id = try #require(node["node_id"] as? String)
      #expect(id.hasPrefix("\(diagonal - unit)_\(unit)_"))
    }
  }

  @Test("Links join nodes that are there, and carry what the target receives in its own units")
  func links() throws {
    let graph = try graph(CircuitSamples.edges)
    let ids = Set(try nodes(graph).compactMap { $0["node_id"] as? String })
    #expect(ids.count == 8)
    let links = try #require(graph["links"] as? [Object])
    #expect(links.count == 6)
    for link in links {
      #expect(ids.contains(link["source"] as? String ?? ""))
      #expect(ids.contains(link["target"] as? String ?? ""))
    }
    #expect(links[1]["source"] as? String == "E_21_1" && links[1]["target"] as? String == "1_7_1")
    #expect(links[1]["weight"] as? Double == -1.25)
    #expect(links[4]["source"] as? String == "3_101_2" && links[4]["target"] as? String == "5_1_2")
  }

  @Test("Influence is the mass of a node and of all larger ones: pruning keeps the strongest")
  func influence() throws {
    var result = CircuitSamples.edges
    result.nodes.swapAt(0, 3)
    result.edges = nil
    let shares = try nodes(try graph(result)).prefix(4).compactMap { $0["influence"] as? Double }
    #expect(shares == [1, 0.75, 2.75 / 3, 0.5])
    result.nodes = result.nodes.map { node in
      var node = node
      node.score = 0
      return node
    }
    let none = try nodes(try graph(result)).prefix(4).compactMap { $0["influence"] as? Double }
    #expect(none == [1, 1, 1, 1])
  }

  @Test("A metric of probabilities gives its probability")
  func probability() throws {
    var result = CircuitSamples.trace
    result.metric.versus = nil
    result.metric.name = "prob"
    result.metric.value = 0.4375
    var goal = try #require(try nodes(try graph(result)).last)
    #expect(goal["token_prob"] as? Double == 0.4375)
    #expect(goal["clerp"] as? String == "Output \" are\" (p=0.438)")
    result.metric.name = "logprob"
    result.metric.value = -2
    goal = try #require(try nodes(try graph(result)).last)
    #expect(abs((goal["token_prob"] as? Double ?? 0) - 0.135335283) < 1e-9)
  }

  @Test("Units of summed positions stand where the metric is predicted")
  func summed() throws {
    let nodes = try nodes(try graph(CircuitSamples.summed))
    #expect(nodes.prefix(4).allSatisfy { $0["ctx_idx"] as? Int == 2 })
    #expect(nodes[1]["node_id"] as? String == "1_7_2")
  }

  @Test("A slug has only what a path can hold")
  func slug() throws {
    func slug(_ text: String) throws -> String? {
      (try graph(CircuitSamples.trace, slug: text)["metadata"] as? Object)?["slug"] as? String
    }
    #expect(try slug("sva-simple_1") == "sva-simple_1")
    #expect(try slug("../a b/東.json") == "---a-b---json")
    #expect(try slug("") == "circuit")
  }

  @Test("A circuit that cannot be written, or whose lists do not fit, is refused by name")
  func refusals() {
    var result = CircuitSamples.edges
    result.edges?[0].value = .nan
    #expect(
      throws: ResultsError(
        code: .notFinite,
        message: "'edges[0].value' is not a finite number, so the result cannot be written. "
          + "The model's numbers overflowed; compute in a wider dtype.")
    ) { try CircuitReport.graph(for: result) }
    result = CircuitSamples.edges
    result.edges?[0].source = .node(9)
    #expect(
      throws: ResultsError(
        code: .malformed,
        message: "'edges[0].source' of this result is 9, which is not a place in 'nodes'. "
          + "It is damaged or not from Telescope; write it again.")
    ) { try CircuitReport.graph(for: result) }
  }
}
