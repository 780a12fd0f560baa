import Foundation
import Reports
import Results
import Testing

@Suite("The report of direct logit attribution")
struct DirectLogitReportTests {
  private func text(
    _ result: DirectLogitResult, _ width: Int, color: Bool = false, unicode: Bool = true,
    top: Int = 10
  ) -> String {
    DirectLogitReport.text(
      for: result, style: TerminalStyle(width: width, color: color, unicode: unicode), top: top)
  }

  @Test("Layers, then the largest parts, at 80 columns")
  func at80() {
    #expect(
      text(OtherSamples.logit, 80) == """
        tiny.gguf · 4 layers · float32 on cpu
        direct logit attribution · final norm frozen at its scale in this run
          logits less their mean over the vocabulary

        The capital of France is → " Paris"                               logit = 8.5899
                layer  attention      mlp      sum
            embedding                      +0.3123   █▌
                    0    +2.3993  +4.4830  +6.8823   ███████████████████████████████████
                    1    +1.5915  −0.1762  +1.4153   ███████
          output bias                      −0.0200  ▕

        largest parts
          layer 0 mlp          +4.4830    ██████████████████████████████████████
            neuron 0           +1.8130    ███████████████▌
            neuron 74          +1.5511    █████████████
            neuron 111         +0.5763    █████
            neuron 37          −0.0085   ▕
            others             +0.5388    ████▌
            residual           +0.0123    ▏
          layer 0 attention    +2.3993    ████████████████████▌
            head 2             +1.2563    ██████████▌
              from 0 The       +0.3604    ███
              from 4 ␣is       +0.3273    ███
              from 1 ␣capital  +0.3134    ██▌
              from 3 ␣France   +0.2533    ██
              from 2 ␣of       +0.0019    ▏
            head 1             +0.6867    ██████
              from 4 ␣is       +0.2261    ██
              from 3 ␣France   +0.1517    █▌
              from 1 ␣capital  +0.1268    █
              from 2 ␣of       +0.1172    █
              from 0 The       +0.0649    ▌
            head 0             +0.4439    ████
            bias               +0.0124    ▏
          layer 1 attention    +1.5915    █████████████▌
            head 1             +0.5615    █████
              from 3 ␣France   +0.2464    ██
              from 4 ␣is       +0.1051    █
              from 0 The       +0.1042    █
              from 1 ␣capital  +0.0831    ▌
              from 2 ␣of       +0.0227    ▏
            head 2             +0.5134    ████▌
              from 1 ␣capital  +0.2822    ██▌
              from 2 ␣of       +0.1962    █▌
              from 3 ␣France   +0.0168    ▏
              from 4 ␣is       +0.0102    ▏
              from 0 The       +0.0080    ▏
            head 0             +0.5042    ████▌
              from 2 ␣of       +0.3294    ███
              from 3 ␣France   +0.1181    █
              from 1 ␣capital  +0.0953    █
              from 4 ␣is       −0.0289   ▕
              from 0 The       −0.0097   ▕
            bias               +0.0124    ▏
          embedding            +0.3123    ██▌
          layer 1 mlp          −0.1762  ▐▒
          output bias          −0.0200   ▕
        Parts under a tenth of the largest stay closed; JSON and CSV have all of them.

          sum of 6 parts 8.5899 · model's own logit 8.5899 · certificate +1.5e-06

        """)
  }

  @Test("At 40 columns in ASCII with two parts a list, the others in one line")
  func at40() {
    #expect(
      text(OtherSamples.logit, 40, unicode: false, top: 2) == """
        tiny.gguf, 4 layers, float32 on cpu
        direct logit attribution
        final norm frozen at its scale in this
          run
        logits less their mean over the
          vocabulary

        The capital of France is -> " Paris"
        logit = 8.5899
                layer      sum
            embedding  +0.3123   #
                    0  +6.8823   ###############
                    1  +1.4153   ###
          output bias  -0.0200  |

        largest parts
          layer 0 mlp         +4.4830  #########
            neuron 0          +1.8130  ####
            neuron 74         +1.5511  ###
            others            +1.1066  ##
            residual          +0.0123  |
          layer 0 attention   +2.3993  #####
            head 2            +1.2563  ###
              from 0 The      +0.3604  #
              from 4 _is      +0.3273  #
              3 others        +0.5686  #
            head 1            +0.6867  ##
              from 4 _is      +0.2261  #
              from 3 _France  +0.1517  #
              3 others        +0.3089  #
            2 others          +0.4563  #
          4 others            +1.7076  ####
        Parts under a tenth of the largest stay
        closed; JSON and CSV have all of them.

          sum of 6 parts 8.5899
          model's own logit 8.5899
          certificate +1.5e-06

        """)
  }

  @Test("A difference of two tokens and logits that are not centred are named")
  func difference() {
    var result = OtherSamples.logit
    result.centred = false
    result.finalNorm = "live"
    result.explanations[0].target.versus = TokenDescription(id: 7, text: " Rome")
    let report = text(result, 80)
    #expect(
      report.contains("direct logit attribution · final norm live · logits not centred\n"))
    #expect(report.contains("→ \" Paris\" − \" Rome\""))
    #expect(report.contains("Δlogit = 8.5899\n"))
    #expect(text(result, 80, unicode: false).contains("dlogit = 8.5899\n"))
  }

  @Test("The layers shown add up to the sum shown, to the last digit")
  func layersAddUp() throws {
    for width in [40, 60, 80, 120] {
      let report = text(OtherSamples.logit, width)
      let table = report.components(separatedBy: "largest parts")[0].split(separator: "\n")
      let head = try #require(table.firstIndex { $0.contains("layer ") && $0.contains("sum") })
      let hasParts = table[head].contains("attention")
      var sum: Decimal = 0
      for row in table[(head + 1)...] {
        let numbers = row.split(separator: " ").filter { $0.contains(".") }.compactMap(shownNumber)
        #expect(numbers.count == 1 || (hasParts && numbers.count == 3))
        if numbers.count == 3 { #expect(numbers[0] + numbers[1] == numbers[2]) }
        sum += numbers[numbers.count - 1]
      }
      let total = try #require(report.firstMatch(of: /sum of 6 parts (\S+)/)?.output.1)
      #expect(sum == shownNumber(total))
    }
  }

  @Test("Every list adds up to the part that it opens, whatever it leaves out")
  func listsAddUp() throws {
    for top in [0, 1, 2, 3, 10] {
      for width in [40, 80, 120] {
        let report = text(OtherSamples.logit, width, top: top)
        let list = report.components(separatedBy: "largest parts\n")[1]
          .components(separatedBy: "Parts under")[0].components(separatedBy: "\n\n")[0]
        // Depth by indentation, and the one number of each line.
        let lines = list.split(separator: "\n").map { line in
          let number = line.split(separator: " ").filter { $0.contains(".") }
            .compactMap(shownNumber).first
          return (depth: line.prefix { $0 == " " }.count / 2 - 1, value: number ?? .nan)
        }
        var opened = 0
        for (index, line) in lines.enumerated() {
          let below = lines[(index + 1)...].prefix { $0.depth > line.depth }
          guard !below.isEmpty else { continue }
          opened += 1
          let sum = below.filter { $0.depth == line.depth + 1 }.map(\.value).reduce(0, +)
          #expect(sum == line.value)
        }
        if top > 0 { #expect(opened > 0) }
        let sum = lines.filter { $0.depth == 0 }.map(\.value).reduce(0, +)
        let total = try #require(report.firstMatch(of: /sum of 6 parts (\S+)/)?.output.1)
        #expect(sum == shownNumber(total))
      }
    }
  }

  @Test("A sum that visibly misses its whole has a line for what is missing")
  func residual() {
    #expect(text(OtherSamples.logit, 80).contains("\n    residual           +0.0123"))
    var result = OtherSamples.logit
    result.explanations[0].parts[2].children = result.explanations[0].parts[1].children
    result.explanations[0].parts[2].residual = 1e-7
    #expect(!text(result, 80).contains("residual"))
  }

  @Test("Parts of other kinds in a block have a column of their own")
  func otherKinds() {
    var result = OtherSamples.logit
    result.explanations[0].parts.insert(
      AttributionNode(kind: .mixer, layer: 1, value: 0.5), at: 5)
    let report = text(result, 100)
    #expect(report.contains("attention      mlp    other      sum"))
    #expect(report.contains("  layer 1 mixer"))
  }

  @Test(
    "No line is wider than the terminal, and no control character reaches it",
    arguments: [true, false])
  func width(unicode: Bool) {
    for width in stride(from: 20, through: 160, by: 3) {
      expectSafe(text(OtherSamples.logit, width, unicode: unicode), width: width, unicode: unicode)
      expectSafe(
        text(OtherSamples.hostileLogit, width, unicode: unicode, top: 2), width: width,
        unicode: unicode)
    }
  }

  @Test("Colour changes no character")
  func colour() {
    let colored = text(OtherSamples.logit, 80, color: true)
    #expect(colored.contains("\u{1B}[38;5;33m  +4.4830\u{1B}[0m"))
    #expect(colored.contains("\u{1B}[38;5;208m  −0.0200\u{1B}[0m"))
    #expect(plain(colored) == text(OtherSamples.logit, 80))
  }

  @Test("The table names each part's parent, and parts without one add up to the sum")
  func csv() throws {
    let lines = DirectLogitReport.csv(for: OtherSamples.logit).components(separatedBy: "\r\n")
    #expect(
      lines[0] == "explanation,position,target_id,target_text,versus_id,versus_text,part,parent,"
        + "kind,layer,head,neuron,source,value,residual,model_logit,sum,certificate,final_norm,"
        + "centred")
    let explanation = OtherSamples.logit.explanations[0]
    let end = "\(explanation.modelLogit),\(explanation.sum),1.5e-06,\"frozen\",true"
    #expect(lines[1] == "0,4,15,\" Paris\",,,0,,\"embedding\",-1,,,,0.31234567,0.0," + end)
    let head = try #require(explanation.parts[1].children?[0])
    #expect(
      lines[3]
        == "0,4,15,\" Paris\",,,2,1,\"head\",0,0,,,\(head.value),1e-09," + end)
    let source = try #require(head.children?[0])
    #expect(
      lines[4] == "0,4,15,\" Paris\",,,3,2,\"source\",0,,,0,\(source.value),0.0," + end)
    let rows = lines.dropFirst().dropLast().map { $0.components(separatedBy: ",") }
    let tops = rows.filter { $0[7].isEmpty }.compactMap { Double($0[13]) }
    #expect(tops.count == 6)
    #expect(tops.reduce(0, +) == explanation.sum)
  }
}
