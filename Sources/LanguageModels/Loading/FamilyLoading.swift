internal import Checkpoints
internal import StrictJSON
internal import Tensors

/// The architectures that can be loaded, as checkpoints name them.
let familyNames = Family.all.flatMap(\.names).sorted()

/// Builds the model that a checkpoint describes.
func loadFamily(
  _ checkpoint: Checkpoint, _ weights: WeightReader, ignoring: Set<String>
) throws -> any LanguageModel {
  switch checkpoint.layout {
  case .huggingFace:
    let members = (checkpoint.configuration?.members ?? []).map { ($0.key, $0.value) }
    return try loadFamily(
      ConfigurationReader(members, file: checkpoint.name + "/config.json", exempt: ignoring),
      weights)
  case .gguf: return try loadGGUF(checkpoint, weights, ignoring)
  }
}

/// Builds the model that a `config.json` describes.
func loadFamily(
  _ reader: ConfigurationReader, _ weights: WeightReader
) throws -> any LanguageModel {
  guard let architecture = try reader.string("model_type") else {
    throw ModelError.missingKey("model_type", file: reader.file)
  }
  try reader.require(
    "quantization_config", { _ in false }, "Telescope reads unquantised safetensors; use GGUF")
  guard let family = Family.all.first(where: { $0.names.contains(architecture) }) else {
    throw ModelError.unknownArchitecture(architecture, file: reader.file)
  }
  return try family.build(architecture, reader, weights)
}

func loadGGUF(
  _ checkpoint: Checkpoint, _ weights: WeightReader, _ ignoring: Set<String>
) throws -> any LanguageModel {
  let (dialect, members) = try translatedConfiguration(of: checkpoint, ignoring: ignoring)
  let headWidth =
    members["head_dim"]?.integer
    ?? (members["hidden_size"]?.integer ?? 0) / max(1, members["num_attention_heads"]?.integer ?? 1)
  for name in GGUFDialect.settingTensors { weights.skip(name) }
  weights.translation = dialect.translation(headWidth: headWidth)
  return try loadFamily(
    ConfigurationReader(
      members.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, file: checkpoint.name,
      exempt: ignoring), weights)
}

/// The `config.json` that says what a GGUF file's metadata says, and the dialect that told.
func translatedConfiguration(
  of checkpoint: Checkpoint, ignoring: Set<String>
) throws -> (dialect: GGUFDialect, members: [String: JSON]) {
  guard let architecture = checkpoint.metadata["general.architecture"]?.string else {
    throw ModelError.missingKey("general.architecture", file: checkpoint.name)
  }
  let dialects = Family.all.flatMap(\.dialects)
  guard let dialect = dialects.first(where: { $0.architecture == architecture }) else {
    throw ModelError.unknownArchitecture(architecture, file: checkpoint.name)
  }
  let embedding = checkpoint.tensors["token_embd.weight"]
  guard let vocabulary = embedding?.shape.first, embedding?.shape.count == 2 else {
    throw ModelError.weights(["tensor 'token_embd.weight' is missing"], file: checkpoint.name)
  }
  // Only the architecture's own keys describe the network.
  let metadata = checkpoint.metadata.filter { $0.key.hasPrefix(architecture + ".") }
    .sorted { $0.key < $1.key }.map { ($0.key, $0.value.json) }
  let reader = ConfigurationReader(metadata, file: checkpoint.name, exempt: ignoring)
  var members = try dialect.configuration(
    reader,
    GGUFDialect.Context(
      vocabulary: vocabulary, hasHead: checkpoint.tensors["output.weight"] != nil,
      shape: { checkpoint.tensors[$0]?.shape },
      settings: { checkpoint.tensors[$0].flatMap(settings) }))
  try reader.finish()
  members["model_type"] = members["model_type"] ?? .string(dialect.modelType)
  return (dialect, members)
}

/// The numbers of a short list.
private func settings(_ tensor: StoredTensor) -> [Double]? {
  guard tensor.shape.count == 1, tensor.elementCount <= 1 << 16 else { return nil }
  return [Double](unsafeUninitializedCapacity: tensor.elementCount) { buffer, count in
    if let base = buffer.baseAddress { tensor.read(into: base) }
    count = tensor.elementCount
  }
}

extension GGUFValue {
  /// The value in the form that `ConfigurationReader` reads.
  var json: JSON {
    if let flag = boolean { return .boolean(flag) }
    if let number = integer { return .number(.integer(number)) }
    if let number = double { return .number(.real(number)) }
    if let text = string { return .string(text) }
    if let numbers = integers { return .array(numbers.map { .number(.integer($0)) }) }
    return .array([])
  }
}
