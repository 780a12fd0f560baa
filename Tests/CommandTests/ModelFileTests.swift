import Foundation
import TestSupport
import Testing

/// Models that cannot be read: one sentence and an exit code each.
@Suite("Model files")
struct ModelFileTests {
  @Test("A missing file is named: 66")
  func missing() throws {
    let folder = try Folder()
    let path = (folder / "none.gguf").path
    try expectFailure(
      ["explain", "--model", path, "hi"], 66, "\(path): there is no such file; check the path.")
    try expectFailure(
      ["explain", "hi"], 66, "\(path): there is no such file; check the path.",
      settings: ["TELESCOPE_MODEL": path])
  }

  @Test("What is no file, or a folder without a model, is named: 66")
  func unreadable() throws {
    let folder = try Folder()
    try expectFailure(
      ["explain", "--model", folder.path, "hi"], 66,
      "\(folder.path): the folder has neither model.safetensors, nor model.safetensors.index.json, "
        + "nor pytorch_model.bin, nor a GGUF file; name a folder with a model.")
    try expectFailure(
      ["explain", "--model", "/dev/null", "hi"], 66,
      "/dev/null: this is no regular file where a file is needed; name a file in its place.")
    let model = try TinyModel()
    try FileManager.default.removeItem(at: model.weights)
    try FileManager.default.createDirectory(at: model.weights, withIntermediateDirectories: true)
    try expectFailure(
      ["explain", "--model", model.path, "hi"], 66,
      "\(model.path)/model.safetensors: this is a folder where a file is needed; name a file in its "
        + "place.")
  }

  @Test("Model folders without their configuration or tokenizer are named: 66")
  func incomplete() throws {
    let model = try TinyModel()
    try FileManager.default.removeItem(at: model.folder / "tokenizer.json")
    try expectFailure(
      ["explain", "--model", model.path, "hi"], 66,
      "\(model.path)/tokenizer.json: the file cannot be read; check that it is there and may be "
        + "opened.")
    try FileManager.default.removeItem(at: model.folder / "config.json")
    try expectFailure(
      ["explain", "--model", model.path, "hi"], 66,
      "\(model.path)/config.json: there is no such file, and weights alone do not say what model they "
        + "are; put the model's config.json there.")
  }

  @Test("A wrong magic is bad data: 65")
  func wrongMagic() throws {
    let folder = try Folder()
    let file = folder / "model.gguf"
    try Data("GGML, or was it GGUF?".utf8).write(to: file)
    try expectFailure(
      ["explain", "--model", file.path, "hi"], 65,
      "\(file.path): the file is neither GGUF, nor safetensors, nor one of torch.save; name a model "
        + "file, or download it again.")
  }

  @Test("A truncated file is bad data: 65")
  func truncated() throws {
    let model = try TinyModel()
    let bytes = try Data(contentsOf: model.weights)
    try bytes.prefix(bytes.count / 2).write(to: model.weights)
    try expectFailure(
      ["explain", "--model", model.path, "hi"], 65,
      "\(model.path)/model.safetensors: tensor 'model.layers.0.self_attn.o_proj.weight' ends at 23328 "
        + "of 21168 bytes of data; the file is damaged, download it again.")
    let gguf = model.folder / "half.gguf"
    try Data(contentsOf: Fixtures.url("checkpoints/version3.gguf")).prefix(64).write(to: gguf)
    try expectFailure(
      ["explain", "--model", gguf.path, "hi"], 65,
      "\(gguf.path): the header counts 22 metadata pairs, more than the file has room for; the file is "
        + "damaged, download it again.")
  }

  @Test("A header that lies about its length is bad data: 65")
  func lyingHeader() throws {
    let model = try TinyModel()
    var bytes = try Data(contentsOf: model.weights)
    bytes.replaceSubrange(0..<8, with: [0, 0, 0, 0, 0, 0, 0, 0x10])
    try bytes.write(to: model.weights)
    try expectFailure(
      ["explain", "--model", model.path, "hi"], 65,
      "\(model.path)/model.safetensors: the header is 1152921504606846976 bytes long where "
        + "100000000 are the most; the file is damaged, download it again.")
  }

  @Test("An unknown architecture is named with those that run: 65")
  func unknownArchitecture() throws {
    let model = try TinyModel()
    try model.configure(["model_type": "bloom"])
    try expectFailure(
      ["explain", "--model", model.path, "hi"], 65,
      "\(model.name)/config.json: the architecture 'bloom' is not one that Telescope runs; it runs "
        + "albert, bert, camembert, deberta, deberta-v2, distilbert, electra, falcon, gemma, gemma2, "
        + "gemma3_text, gpt2, gpt_neox, llama, mamba, mistral, mixtral, modernbert, mpnet, olmo2, phi3, "
        + "qwen2, qwen2_moe, qwen3, qwen3_moe, roberta, smollm3, stablelm, switch_transformers, t5, "
        + "xlm-roberta.")
  }

  @Test("Unknown configuration keys are named all at once, and only the person can overrule: 65")
  func unknownKeys() throws {
    let model = try TinyModel()
    try model.configure(["residual_multiplier": 0.22, "logit_scale": 4])
    try expectFailure(
      ["explain", "--model", model.path, "hi"], 65,
      "\(model.name)/config.json: unknown configuration keys 'logit_scale', 'residual_multiplier'; "
        + "the model may differ from what Telescope computes (if you know that it does not, add "
        + "--ignore-config-key logit_scale --ignore-config-key residual_multiplier).")
    try expectFailure(
      ["explain", "--model", model.path, "--ignore-config-key", "logit_scale", "hi"], 65,
      "\(model.name)/config.json: unknown configuration key 'residual_multiplier'; the model may "
        + "differ from what Telescope computes (if you know that it does not, add "
        + "--ignore-config-key residual_multiplier).")
    let overruled = try Command.explain(
      "--model", model.path, "--ignore-config-key", "logit_scale",
      "--ignore-config-key=residual_multiplier", "hi")
    #expect(overruled.code == 0 && overruled.errors == "")
  }

  @Test("A missing configuration key is named: 65")
  func missingKey() throws {
    let model = try TinyModel()
    try model.configure(["hidden_size": nil])
    try expectFailure(
      ["explain", "--model", model.path, "hi"], 65,
      "\(model.name)/config.json: the configuration lacks 'hidden_size'; the file is incomplete, get "
        + "it again.")
  }

  @Test("A missing tensor is named: 65")
  func missingTensor() throws {
    let model = try TinyModel()
    try model.change(removing: "model.norm.weight")
    try expectFailure(
      ["explain", "--model", model.path, "hi"], 65,
      "\(model.name): tensor 'model.norm.weight' is missing. The weights and the configuration are "
        + "from different models, or the file is incomplete.")
  }

  @Test("An unused tensor is named: 65")
  func unusedTensor() throws {
    let model = try TinyModel()
    try model.change(adding: "model.layers.0.self_attn.q_norm.weight")
    try expectFailure(
      ["explain", "--model", model.path, "hi"], 65,
      "\(model.name): tensor 'model.layers.0.self_attn.q_norm.weight' is not used by this model. The "
        + "weights and the configuration are from different models, or the file is incomplete.")
  }

  @Test("A tensor of the wrong shape is named: 65")
  func wrongShape() throws {
    let model = try TinyModel()
    try model.configure(["vocab_size": 98])
    try expectFailure(
      ["explain", "--model", model.path, "hi"], 65,
      "\(model.name): tensor 'model.embed_tokens.weight' is [97, 24]; expected [98, 24]. The weights "
        + "and the configuration are from different models, or the file is incomplete.")
  }

  @Test("A tokenizer of another model is refused: 65")
  func otherTokenizer() throws {
    let model = try TinyModel()
    try FileManager.default.removeItem(at: model.folder / "tokenizer.json")
    try FileManager.default.copyItem(
      at: Fixtures.url("tokenization/gpt2.tokenizer.json"), to: model.folder / "tokenizer.json")
    try FileManager.default.removeItem(at: model.folder / "tokenizer_config.json")
    try expectFailure(
      ["explain", "--model", model.path, "hi"], 65,
      "\(model.name): the tokenizer has 1201 tokens and the model 97; they are from different models."
    )
  }

  @Test("Weights that are no numbers are bad data, and nothing is written: 65")
  func notFinite() throws {
    let model = try TinyModel()
    try model.change(poisoning: "model.norm.weight")
    let folder = try Folder()
    try expectFailure(
      ["explain", "--model", model.path, "--json", (folder / "a.json").path, "hi"], 65,
      "The model's numbers are not finite at some layer; the file may be damaged, or need more range "
        + "than --dtype bfloat16 has: get it again, or use float32.")
    #expect(try folder.names() == [])
  }

  @Test("Weights that do not fit in the memory allowed are refused before they are read: 69")
  func memoryOfWeights() throws {
    try expectFailure(
      ["explain", "--memory", "1M", "hi"], 69,
      "SmolLM2-135M-Instruct.Q4_1: its weights take 538 MB as float32, more than the 1 MB --memory "
        + "allows; use --dtype bfloat16, a smaller model, or more memory.")
  }

  @Test("A run that does not fit beside the weights is refused: 69")
  func memoryOfRun() throws {
    let model = try TinyModel()
    try expectFailure(
      ["explain", "--model", model.path, "--memory", "60k", "hi"], 69,
      "This run needs about 92 kB beyond the model and --memory allows 16 kB; allow more, explain "
        + "fewer tokens or layers, or shorten the prompt.")
  }

  @Test("A device that is not there is refused: 69")
  func device() throws {
    let model = try TinyModel()
    let outcome = try Command.explain(
      "--model", model.path, "--device", "cuda", "hi", settings: ["CUDA_VISIBLE_DEVICES": "-1"])
    #expect(
      outcome.errors.wholeMatch(
        of: try Regex(
          #"telescope: --device cuda: the GPU cannot be used \(.+\); use --device cpu, or install "#
            + #"libtorch with CUDA and an NVIDIA driver\.\n"#)) != nil)
    #expect(outcome.code == 69 && outcome.text == "")
    #if os(Linux)
      try expectFailure(
        ["explain", "--model", model.path, "--device", "mps", "hi"], 69,
        "--device mps: this machine has no Metal GPU that libtorch can use; use --device cpu.")
    #endif
  }
}
