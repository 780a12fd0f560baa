import Checkpoints
import Foundation
import LanguageModels
import TestSupport
import Testing

/// Configurations that do not describe a model: each refused with its whole sentence.
@Suite("Configurations that are refused")
struct ConfigurationTests {
  /// What loading says of a model whose `config.json` has these words replaced.
  private func message(
    _ name: String, _ changes: [(String, String)], ignoring: Set<String> = []
  ) throws -> String {
    let folder = FileManager.default.temporaryDirectory
      .appending(path: "telescope-\(UUID().uuidString)/model")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder.deletingLastPathComponent()) }
    let source = Fixtures.url("models/" + name)
    try FileManager.default.copyItem(
      at: source.appending(path: "model.safetensors"),
      to: folder.appending(path: "model.safetensors"))
    var text = try String(contentsOf: source.appending(path: "config.json"), encoding: .utf8)
    for (old, new) in changes {
      #expect(text.contains(old), "\(old) is not in the fixture")
      text = text.replacing(old, with: new)
    }
    try text.write(to: folder.appending(path: "config.json"), atomically: true, encoding: .utf8)
    do {
      _ = try loadNetwork(of: Checkpoint(folder), ignoringKeys: ignoring)
      return "nothing was thrown"
    } catch { return "\(error)" }
  }

  @Test(
    "Llama",
    arguments: [
      (
        "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2000000000",
        "'num_hidden_layers' is 2000000000; at most 10000 layers are expected."
      ),
      (
        "\"num_hidden_layers\": 3", "\"num_hidden_layers\": 0",
        "'num_hidden_layers' is 0; a whole number from 1 to 2147483648 is expected."
      ),
      (
        "\"num_key_value_heads\": 2", "\"num_key_value_heads\": 4",
        "'num_key_value_heads' is 4; it must divide num_attention_heads, 6."
      ),
      (
        "\"head_dim\": 8", "\"head_dim\": 7",
        "'head_dim' is 7; rotary positions need an even width."
      ),
      (
        "\"hidden_act\": \"silu\"", "\"hidden_act\": \"mish\"",
        "'hidden_act' is 'mish'; Telescope computes silu, relu, gelu and tanh."
      ),
      (
        "\"rope_scaling\": null", "\"rope_scaling\": {\"rope_type\": \"spiral\", \"factor\": 2.0}",
        "'rope_scaling.rope_type' is 'spiral'; Telescope computes default, linear, dynamic, yarn, "
          + "longrope and llama3."
      ),
      (
        "\"rope_scaling\": null",
        "\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 2.0, \"extra\": 1}",
        "unknown configuration key 'rope_scaling.extra'; the model may differ from what Telescope "
          + "computes (if you know that it does not, add --ignore-config-key rope_scaling.extra)."
      ),
      (
        "\"hidden_size\": 24", "\"hidden_size\": \"wide\"",
        "'hidden_size' is 'wide'; a whole number from 1 to 2147483648 is expected."
      ),
      (
        "\"model_type\": \"llama\"", "\"model_type\": \"bloom\"",
        "the architecture 'bloom' is not one that Telescope runs; it runs albert, bert, camembert, "
          + "deberta, deberta-v2, distilbert, electra, falcon, gemma, gemma2, gemma3_text, gpt2, "
          + "gpt_neox, llama, mamba, mistral, mixtral, modernbert, mpnet, olmo2, phi3, qwen2, "
          + "qwen2_moe, qwen3, qwen3_moe, roberta, smollm3, stablelm, switch_transformers, t5, "
          + "xlm-roberta."
      ),
    ])
  func llama(old: String, new: String, expected: String) throws {
    #expect(try message("llama-grouped-untied", [(old, new)]) == "model/config.json: " + expected)
  }

  @Test(
    "Encoders",
    arguments: [
      (
        "bert", "\"absolute\"", "\"relative_key\"",
        "'position_embedding_type' is 'relative_key'; Telescope computes absolute positions here."
      ),
      (
        "bert", "\"gradient_checkpointing\": false", "\"is_decoder\": true",
        "'is_decoder' is true; Telescope runs this family as an encoder."
      ),
      (
        "electra-generator", "\"gradient_checkpointing\": false", "\"add_cross_attention\": true",
        "'add_cross_attention' is true; Telescope runs the encoder alone."
      ),
      (
        "roberta", "\"gradient_checkpointing\": false", "\"pruned_heads\": {\"0\": [1]}",
        "'pruned_heads' is an object; Telescope reads models with all their heads."
      ),
      (
        "distilbert", "\"n_heads\": 4", "\"n_heads\": 5", "'n_heads' is 5; it must divide dim, 24."
      ),
      (
        "roberta", "\"pad_token_id\": 1", "\"pad_token_id\": 30",
        "'max_position_embeddings' is 26; the first 31 are not for tokens, so more are expected."
      ),
      (
        "roberta", "\"pad_token_id\": 1", "\"pad_token_id\": -1",
        "'pad_token_id' is -1; a token's number is expected."
      ),
      (
        "mpnet", "\"relative_attention_num_buckets\": 32", "\"relative_attention_num_buckets\": 16",
        "'relative_attention_num_buckets' is 16; the published code computes 32 whatever is stated, "
          + "and so does Telescope."
      ),
      (
        "albert", "\"num_hidden_groups\": 1", "\"num_hidden_groups\": 4",
        "'num_hidden_groups' is 4; at most num_hidden_layers, 3, are expected."
      ),
      (
        "albert", "\"inner_group_num\": 1", "\"inner_group_num\": 3334",
        "'inner_group_num' is 3334; at most 10000 layers are expected."
      ),
    ])
  func encoders(name: String, old: String, new: String, expected: String) throws {
    #expect(try message(name, [(old, new)]) == "model/config.json: " + expected)
  }

  @Test("A head that the configuration promises and the weights lack")
  func promisedHead() throws {
    let missing = [
      "transform.dense.weight", "transform.dense.bias", "transform.LayerNorm.weight",
      "transform.LayerNorm.bias", "bias",
    ].map { "tensor 'cls.predictions.\($0)' is missing" }
    #expect(
      try message("bert-headless", [("BertModel", "BertForMaskedLM")])
        == "model: \(missing.joined(separator: "; ")). The weights and the configuration are from "
        + "different models, or the file is incomplete.")
  }

  @Test("A key that the person vouches for is passed over, inside rope settings too")
  func vouched() throws {
    let changes = [
      (
        "\"rope_scaling\": null",
        "\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 2.0, \"extra\": 1}, \"odd\": 1"
      )
    ]
    #expect(
      try message("llama-grouped-untied", changes, ignoring: ["rope_scaling.extra", "odd"])
        == "nothing was thrown")
    #expect(
      try message("llama-grouped-untied", changes, ignoring: ["rope_scaling.extra"])
        == "model/config.json: unknown configuration key 'odd'; the model may differ from what "
        + "Telescope computes (if you know that it does not, add --ignore-config-key odd).")
  }

  @Test("A head of no width")
  func narrow() throws {
    let found = try message(
      "llama-grouped-untied",
      [
        ("\"head_dim\": 8,", ""), ("\"num_attention_heads\": 6", "\"num_attention_heads\": 60"),
        ("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 60"),
      ])
    #expect(
      found == "model/config.json: 'head_dim' is 0; rotary positions need an even width.")
  }

  @Test("GPT-2 whose heads do not divide its width")
  func gpt2() throws {
    let text = try String(
      contentsOf: Fixtures.url("models/gpt2/config.json"), encoding: .utf8)
    let heads = try #require(text.firstMatch(of: /"n_head": (\d+)/))
    let width = try #require(text.firstMatch(of: /"n_embd": (\d+)/))
    #expect(
      try message("gpt2", [(String(heads.0), "\"n_head\": 7")])
        == "model/config.json: 'n_head' is 7; it must divide n_embd, \(width.1).")
  }
}
