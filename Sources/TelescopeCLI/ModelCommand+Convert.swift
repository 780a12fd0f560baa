internal import Foundation
internal import Telescope

extension ModelCommand {
  /// `telescope model convert` writes a model as safetensors.
  static func convert(_ words: [String]) throws {
    let forms: [String: Arguments.Form] = ["--dtype": .value, "--shard-size": .value]
    guard let arguments = try arguments(words, "convert", forms, help: convertHelp) else { return }
    guard arguments.rest.count == 2 else {
      throw CommandError(
        .usage,
        "telescope model convert takes a model and a folder to write; there are "
          + "\(arguments.rest.count) words.")
    }
    let types: [(name: String, type: ElementType)] = [
      ("float32", .f32), ("bfloat16", .bf16), ("float16", .f16),
    ]
    let type = try arguments.choice("--dtype", types, \.name)?.type
    let shardSize = try arguments.value("--shard-size").map {
      try CommonOptions.bytes($0, of: "--shard-size")
    }
    let isQuiet = arguments.flag("--quiet", "-q")
    let path = arguments.rest[1]
    let folder = URL(fileURLWithPath: (path as NSString).expandingTildeInPath)
    try ModelConversion.check(folder)
    let model = try ModelLocation.find(arguments.rest[0], quiet: isQuiet)
    Progress.current.begin("Converting", quiet: isQuiet)
    defer { Progress.current.end() }
    let checkpoint = try Checkpoint(model)
    let size = shardSize ?? ModelConversion.usualShardSize
    let conversion =
      try checkpoint.layout == .gguf
      ? ModelConversion(translating: checkpoint, as: type, shardSize: size)
      : ModelConversion(checkpoint, as: type, shardSize: size)
    let workplace = ModelConversion.workplace(for: folder)
    let summary = try OutputFile.making(workplace.path) {
      try conversion.write(to: folder, by: workplace, progress: Progress.current.update)
    }
    Progress.current.end()
    let files = summary.weightFiles.count == 1 ? "1 file" : "\(summary.weightFiles.count) files"
    try Terminal.write(
      "\(checkpoint.name) · \(summary.tensorCount) tensors · \(megabytes(summary.byteCount)) in "
        + "\(files)\n")
    guard !isQuiet else { return }
    if !summary.leftOut.isEmpty {
      Terminal.note(
        "Tied weights are written once, without " + summary.leftOut.joined(separator: ", "))
    }
    Terminal.note("Wrote \(path)")
  }

  static let convertHelp = """
    usage: telescope model convert MODEL FOLDER [options]

    Writes a model as safetensors with its configuration, tokenizer and licence, under the same
    names. MODEL is a folder or file of safetensors or of torch.save (pytorch_model.bin), whole or
    in shards, or owner/name on the hub. The folder appears whole or not at all. A GGUF file gets
    the names and the configuration that the model has on the hub, and its vocabulary stays GGUF,
    as tokenizer.gguf.

      --dtype TYPE             float32, bfloat16 or float16 for all real numbers (default: as they
                               are, float32 where they were quantised)
      --shard-size SIZE        the most in one file (default 5G); more makes shards with an index
      --quiet, -q              no progress, no notes
      --version                the version
      --help, -h               this text

    """
}
