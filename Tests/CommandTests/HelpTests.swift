import Foundation
import Testing

/// The help texts, whole, so that no option comes, goes or changes unseen.
@Suite("Help")
struct HelpTests {
  @Test("--help gives the whole text, on standard output")
  func general() throws {
    let outcome = try Command.run(["--help"])
    #expect(outcome.code == 0 && outcome.errors == "")
    #expect(outcome.text == generalHelp)
    #expect(try Command.run(["help"]).text == generalHelp)
  }

  @Test(
    "Each command's --help gives its whole text, wherever it stands",
    arguments: [
      ("explain", explainHelp), ("dla", directLogitHelp), ("compare", compareHelp),
    ])
  func command(_ name: String, _ help: String) throws {
    let outcome = try Command.run([name, "--help"])
    #expect(outcome.code == 0 && outcome.errors == "")
    #expect(outcome.text == help + everywhereHelp)
    #expect(try Command.run([name, "hi", "-h"]).text == help + everywhereHelp)
  }

  @Test("No line of any help is wider than a terminal of 100 columns")
  func width() throws {
    for words in [
      ["aggregate"], ["lens"], ["lens", "show"], ["lens", "train"], ["lens", "means"],
      ["flow"], ["attribute"], ["circuit"], ["circuit", "trace"], ["circuit", "evaluate"],
      ["circuit", "edges"], ["patch"], ["steer"], ["inspect"], ["verify"], ["capture"], ["model"],
      ["model", "list"],
      ["model", "fetch"],
      ["model", "remove"], ["model", "convert"],
    ] {
      let outcome = try Command.run(words + ["--help"])
      #expect(outcome.code == 0 && outcome.errors == "")
      #expect(outcome.text.split(separator: "\n").allSatisfy { $0.count <= 100 })
    }
  }
}

private let generalHelp = """
  telescope shows where inside a language model a prediction is made.

  usage: telescope explain [options] "prompt"
         telescope aggregate [options] results.jsonl …
         telescope lens show|train|means [options]
         telescope dla [options] "prompt"
         telescope compare [options] "prompt"
         telescope flow [options] "text"
         telescope attribute METHOD [options] "text"
         telescope circuit trace|evaluate|edges [options]
         telescope patch [options] "clean" --contrast "corrupted"
         telescope steer [options] "text" --site SITE --scale X
         telescope inspect [options] [MODEL]
         telescope verify [options] [MODEL]
         telescope capture [options] --sites NAMES -o FILE "text"
         telescope model list|fetch|remove|convert [options]

    explain     split the probability of each token over the layers that produce it
    aggregate   what the explanations of many prompts have in common
    lens        read every layer's state as if it were the last (logit lens, tuned lens)
    dla         split the logit of each token over everything that wrote it
    compare     several methods side by side, layer by layer
    flow        which token feeds which, inside one layer (LIG)
    attribute   scores of tokens, heads and neurons by gradients, relevance and attention
    circuit     which neurons or heads carry a prediction, and how much of it they carry alone
    patch       what a prediction is when a value comes from another run (also with noise)
    steer       what a model says when a value is scaled, set or added to
    inspect     what a model is: sizes, wiring, sites, and which methods work
    verify      what must hold of every model, tried on this one
    capture     write what a forward pass shows as safetensors
    model       models on this machine and on the hub: list, fetch, remove, convert

  telescope explain --help lists the options of explain, and so on; telescope --version prints
  the version.

  """

private let explainHelp = """
  usage: telescope explain [options] "prompt"
         telescope explain [options] -          the prompt from standard input
         telescope explain [options] --loop     prompt after prompt, model loaded once
         telescope explain [options] --input prompts.jsonl --json results.jsonl

  Splits the probability of each token of the continuation over the layers that produce
  it; the parts sum exactly to what the model says.

  What is explained (by default the model's own greedy continuation; in an encoder, which
  has none, what fills each mask token of the prompt, such as [MASK])
    --answer TEXT            this continuation instead; in an encoder, a token for each mask
    --max-new-tokens N       the most tokens of the greedy continuation (default 16)
    --every-token            each next token of the prompt itself; in an encoder, each token
                             where it stands
    --position P …           what is predicted at these positions of the prompt, from 0: the
                             next token; in an encoder, the one that stands there
    --contrast TEXT          the same continuation after another prompt, layer by layer
    --ids ID …               the prompt as token ids
    --chat                   wrap the prompt in the model's chat template
    --bos, --no-bos          begin with the beginning-of-text token, or not
                             (default: as the model's files say)

  How
    --layers L …             layers to credit: numbers from 0, and 'embedding' (default all)
    --k N                    N layers, evenly spaced, the last included
    --baseline B             mean (default), mean-all, mean-nosink, zero, embedding,
                             final-of:TEXT
    --target T               prob (default), logprob, logit, prob-diff:TOKEN,
                             logit-diff:TOKEN, entropy, kl
    --completion FILE        read each state with the later layers' mean updates added
                             (telescope lens means makes the file)
    --lens FILE              read each state through a tuned lens
    --unverified-lens        use a file that does not say that it is for this model file
    --estimator E            observed (default), gradient, gauss
    --nodes N                steps of gradient (default 64) or nodes of gauss (default 16)
    --tol X                  integrals: double the nodes until every sum is this exact
                             (default 1e-4; estimator gauss: none)
    --onset F                share of all |Δ| at which the onset layer is reached
                             (default 0.5)
    --top N                  most probable tokens listed per layer (default 5), and the most
                             parts listed on screen (default 10)
    --compat iglens          the published script's numbers, for comparison: its hidden
                             states count as layers, and unless given, baseline mean-all
                             and estimator gradient

  What each layer is made of
    --depth D                layer (default), block (attention and MLP), head, token (what each
                             head carried from each token of the text)
    --neurons N|all          the N neurons of each layer that count most

  How much the choices matter
    --path P                 chain (default), straight, shapley
    --paths all              every path beside it: each layer's range, and rank correlations
    --baselines all          every baseline beside it
    --orders N               shapley: how many orders are sampled, where the layers are more than
                             10 (default 32)

  What happens without a part
    --check                  replace each layer (with --depth and --neurons each part) in the
                             model, and compare with what its score predicts
    --replace R …            by its mean, by zero, by a resample (default: each)
    --at position|all        at the explained position (default), or at every position
    --reference FILE         take means and resamples from these texts, one a line
    --seed N                 of what is sampled (default 0)

  Where to
    --json FILE              everything, schema telescope/explain/1 (- for standard output)
    --csv FILE               one line per token and layer
    --html FILE              one page that needs no network
    --reproducible           leave out wall times, so that the same run gives the same
                             bytes

  Many prompts
    --input FILE             JSON lines {"prompt": "…"}, each with "answer" and "id" if
                             wanted; of a file named .txt, each line is a prompt; - for
                             standard input
    --json FILE              one result a line, in the order of the prompts; a prompt that
                             fails has a line telescope/error/1
    --resume                 go on behind the last whole line of that file
    --aggregate FILE         mean depth profile, onsets and agreement as JSON, as on screen
                             (- for standard output); telescope aggregate makes it later
    --resamples N            of the 95 % intervals, over prompts (default 1000)
    --seed N                 of what is drawn (default 0)


  """

private let directLogitHelp = """
  usage: telescope dla [options] "prompt"

  Direct logit attribution: splits the logit of each token over the embedding, every
  attention and every MLP that wrote to the residual stream, with the final norm's scale
  frozen at the value that the run had. The parts sum to the logit.

  What is explained (by default the model's own greedy continuation)
    --answer TEXT            this continuation instead
    --max-new-tokens N       the most tokens of the greedy continuation (default 16)
    --every-token            each next token of the prompt itself
    --position P …           what is predicted at these positions of the prompt, from 0
    --ids ID …               the prompt as token ids
    --chat                   wrap the prompt in the model's chat template
    --bos, --no-bos          begin with the beginning-of-text token, or not
                             (default: as the model's files say)

  How
    --target T               logit (default) or logit-diff:TOKEN
    --centred                measure logits from their mean over the vocabulary
    --depth D                block (default) or head
    --neurons N|all          the N neurons of each layer that count most
    --top N                  the most parts listed on screen (default 10)

  Where to
    --json FILE              everything, schema telescope/dla/1 (- for standard output)
    --csv FILE               one line per part
    --reproducible           leave out wall times, so that the same run gives the same
                             bytes


  """

private let compareHelp = """
  usage: telescope compare [options] "prompt"

  Explains each token by IG-Lens, by the straight path, by direct logit attribution and by
  the difference of the logit lens from layer to layer, side by side, from one forward pass,
  with the rank correlation of every two.

  What is explained (by default the model's own greedy continuation)
    --answer TEXT            this continuation instead
    --max-new-tokens N       the most tokens of the greedy continuation (default 16)
    --every-token            each next token of the prompt itself
    --position P …           what is predicted at these positions of the prompt, from 0
    --ids ID …               the prompt as token ids
    --chat                   wrap the prompt in the model's chat template
    --bos, --no-bos          begin with the beginning-of-text token, or not
                             (default: as the model's files say)

  How
    --baseline B             mean (default), mean-all, mean-nosink, zero, embedding,
                             final-of:TEXT
    --target T               prob (default), logprob, logit, prob-diff:TOKEN,
                             logit-diff:TOKEN, entropy, kl
    --tol X                  the straight path's integrals: how exact (default 1e-4)

  Where to
    --json FILE              everything, schema telescope/compare/1 (- for standard output)
    --csv FILE               one line per token, method and layer
    --reproducible           leave out wall times, so that the same run gives the same
                             bytes


  """

private let everywhereHelp = """
  Everywhere
    --model MODEL            GGUF file, safetensors file, model folder, or owner/name on the
                             hub (default: $TELESCOPE_MODEL, then SmolLM2-135M-Instruct)
    --device cpu|cuda|mps    where to run (default cpu)
    --dtype TYPE             float32 (default), float64, bfloat16, float16: the last two keep
                             weights in half the memory and give results of 2 or 3 digits
    --threads N              processor threads (default: all)
    --memory SIZE            the most for weights and run, such as 2G
    --ignore-config-key KEY  run although Telescope does not know this key; repeatable
    --quiet, -q              no progress, no notes
    --version                the version
    --help, -h               this text

  """
