internal import Checkpoints
internal import StrictJSON

/// The architectures that can be loaded, as checkpoints name them.
let familyNames = ["gpt2", "llama", "mistral", "qwen2"]

/// Builds the model that a checkpoint describes.
func loadFamily(
  _ checkpoint: Checkpoint, _ weights: WeightReader, ignoring: Set<String>
) throws -> any LanguageModel {
  switch checkpoint.format {
  case .safetensors: try loadHuggingFace(checkpoint, weights, ignoring)
  case .gguf: try loadGGUF(checkpoint, weights, ignoring)
  }
}

private func loadHuggingFace(
  _ checkpoint: Checkpoint, _ weights: WeightReader, _ ignoring: Set<String>
) throws -> any LanguageModel {
  let file = checkpoint.name + "/config.json"
  let members = (checkpoint.configuration?.members ?? []).map { ($0.key, $0.value) }
  let reader = ConfigurationReader(members, file: file, exempt: ignoring)
  guard let architecture = try reader.string("model_type") else {
    throw ModelError.missingKey("model_type", file: file)
  }
  try reader.require(
    "quantization_config", { _ in false }, "Telescope reads unquantised safetensors; use GGUF")
  switch architecture {
  case "llama", "mistral", "qwen2":
    let configuration = try LlamaConfiguration(huggingFace: reader, architecture: architecture)
    return try Llama(configuration, weights, .huggingFace, interleavedPairs: false)
  case "gpt2":
    let prefix = weights.has("transformer.wte.weight") ? "transformer." : ""
    return try GPT2(GPT2Configuration(huggingFace: reader), weights, .huggingFace(prefix: prefix))
  default:
    throw ModelError.unknownArchitecture(architecture, file: file)
  }
}

private func loadGGUF(
  _ checkpoint: Checkpoint, _ weights: WeightReader, _ ignoring: Set<String>
) throws -> any LanguageModel {
  guard let architecture = checkpoint.metadata["general.architecture"]?.string else {
    throw ModelError.missingKey("general.architecture", file: checkpoint.name)
  }
  // Only the architecture's own keys describe the network.
  let members = checkpoint.metadata.filter { $0.key.hasPrefix(architecture + ".") }
    .sorted { $0.key < $1.key }.map { ($0.key, $0.value.json) }
  let reader = ConfigurationReader(members, file: checkpoint.name, exempt: ignoring)
  let embedding = checkpoint.tensors["token_embd.weight"]
  guard let vocabulary = embedding?.shape.first, embedding?.shape.count == 2 else {
    throw ModelError.weights(["tensor 'token_embd.weight' is missing"], file: checkpoint.name)
  }
  let tied = !weights.has("output.weight")
  switch architecture {
  case "llama", "qwen2":
    let configuration = try LlamaConfiguration(
      gguf: reader, architecture: architecture, vocabulary: vocabulary, tied: tied)
    return try Llama(
      configuration, weights, .gguf, interleavedPairs: architecture == "llama")
  case "gpt2":
    return try GPT2(
      GPT2Configuration(gguf: reader, vocabulary: vocabulary, tied: tied), weights, .gguf)
  default:
    throw ModelError.unknownArchitecture(architecture, file: checkpoint.name)
  }
}

extension GGUFValue {
  /// The value in the form that `ConfigurationReader` reads.
  var json: JSON {
    if let flag = boolean { return .boolean(flag) }
    if let number = integer { return .number(.integer(number)) }
    if let number = double { return .number(.real(number)) }
    if let text = string { return .string(text) }
    return .array([])
  }
}
