import Foundation
import Testing
import Tokenization

@Suite("What is wrong with a chat template")
struct ChatTemplateErrorTests {
  private func outcome(_ source: String) -> Result<String, TokenizationError> {
    do throws(TokenizationError) {
      let template = try ChatTemplate(source)
      return .success(try template.render(messages: [ChatMessage(role: "user", content: "Hi")]))
    } catch {
      return .failure(error)
    }
  }

  private func expect(
    _ source: String, _ code: TokenizationError.Code, line: Int = 1, _ what: String,
    _ location: SourceLocation = #_sourceLocation
  ) {
    guard case .failure(let error) = outcome(source) else {
      Issue.record("\(source) is rendered", sourceLocation: location)
      return
    }
    let ending = "; correct the template or pass the prompt as plain text."
    let message = "chat template, line \(line): " + what + ending
    #expect(error.message == message, sourceLocation: location)
    #expect(error.code == code, sourceLocation: location)
  }

  static let syntax: [(String, Int, String)] = [
    ("a\n{% include 'x' %}", 2, "the tag 'include' is not one this subset of Jinja knows"),
    ("{% for a in b recursive %}", 1, "'recursive' is not a word this subset of Jinja knows"),
    ("{% if x %}\n{{ y }}", 1, "the block that begins here has no 'endif'"),
    ("\n\n{% for x in y %}", 3, "the block that begins here has no 'endfor'"),
    ("{% endif %}", 1, "the tag 'endif' is not one this subset of Jinja knows"),
    ("{{ x", 1, "'{{' has no '}}'"),
    ("{% if x", 1, "'{%' has no '%}'"),
    ("a {# b", 1, "a comment has no '#}'"),
    ("{% raw %} x", 1, "'raw' has no 'endraw'"),
    ("{{ 'x }}", 1, "a text has no closing quote"),
    ("{{ (x }}", 1, "'}' closes nothing"),
    ("{{ x; y }}", 1, "';' has no meaning in a template"),
    ("{{ 99999999999999999999 }}", 1, "the number 99999999999999999999 is too large"),
    ("{{ 0x1F }}", 1, "'0x' is not a number this subset of Jinja knows"),
    (#"{{ "\ud800" }}"#, 1, "an escape names half of a surrogate pair or no character"),
    ("{{ }}", 1, "a value should stand where '}}' is"),
    ("{{ x y }}", 1, "'}}' should stand where 'y' is"),
    ("{% set 1 = 2 %}", 1, "a name should stand where '1' is"),
    ("{% call x %}{% endcall %}", 1, "a call block calls no macro"),
    ("{% call m() %}", 1, "the block that begins here has no 'endcall'"),
    ("{% set a, b %}x{% endset %}", 1, "'=' should stand where '%}' is"),
    ("{{ x[1:2:3:4] }}", 1, "a slice has more than three parts"),
  ]

  @Test("A fault of syntax is named with its line", arguments: syntax)
  func syntaxRefused(_ source: String, _ line: Int, _ what: String) {
    expect(source, .templateSyntax, line: line, what)
  }

  static let failures: [(String, String)] = [
    ("{{ x.y }}", "the undefined 'x' has no 'y'"),
    ("{{ messages[5].role }}", "the undefined 'item 5' has no 'role'"),
    ("{{ none.x.y }}", "the undefined 'x' has no 'y'"),
    ("{{ 1 + 'a' }}", "'+' has no meaning between a whole number and a text"),
    ("{{ x + 'a' }}", "'+' has no meaning between the undefined 'x' and a text"),
    ("{{ 1 // 0 }}", "'//' divides by 0 or gives too large a number"),
    ("{{ 2 ** 64 }}", "'**' divides by 0 or gives too large a number"),
    ("{{ x | rot13 }}", "the filter 'rot13' is not one this subset of Jinja knows"),
    ("{{ x is prime }}", "the test 'prime' is not one this subset of Jinja knows"),
    ("{{ x() }}", "the undefined 'x' is not something to call"),
    ("{{ 'a'.encode() }}", "the undefined 'encode' is not something to call"),
    (
      "{{ strftime_now('%Y') }}",
      "the template writes today's date, and it is rendered without a date"
    ),
    ("{% for x in 5 %}{% endfor %}", "a whole number cannot be gone through item by item"),
    ("{% set x.y = 1 %}", "'x' is not a namespace, so 'x.y' cannot be set"),
    ("{% set a, b = [1] %}", "1 values cannot be given to 2 names"),
    ("{% break %}", "'break' stands outside a loop"),
    ("{{ 1 < 'a' }}", "a whole number and a text have no order"),
    ("{{ [1][::0] }}", "a slice cannot go in steps of 0"),
    ("{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "the macro 'm' takes 1 values, not 2"),
    ("{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", "the macro 'm' has no parameter 'b'"),
    ("{% call c() %}{% endcall %}", "the undefined 'c' is not something to call"),
    (
      "{% macro m() %}{% endmacro %}{% call m() %}x{% endcall %}",
      "the macro 'm' has no parameter 'caller'"
    ),
    (
      "{% macro m() %}{{ caller(1) }}{% endmacro %}{% call m() %}x{% endcall %}",
      "the macro 'caller' takes 0 values, not 1"
    ),
    (
      "{% for a in [1] %}{% macro m() %}{{ a }}{% endmacro %}{% endfor %}",
      "the macro 'm' is defined inside a loop or block, which this subset of Jinja does not know"
    ),
    ("{{ 'a'.index('b') }}", "the text does not hold what 'index' looks for"),
    ("{{ 'a'.find('b', 1) }}", "'find' takes one text here, not where to begin or end"),
    ("{{ [1]|batch(0) }}", "'batch' takes a whole number from 1 to 100000"),
    ("{{ 'x'|round }}", "'round' takes a number and 'common', 'ceil' or 'floor'"),
    ("{{ [1, 'a']|sum }}", "'+' has no meaning between a whole number and a text"),
    ("{{ (1,) + [1] }}", "'+' has no meaning between a tuple and a list"),
    ("{{ x|tojson }}", "JSON cannot hold the undefined 'x'"),
    ("{{ {[]: 1} }}", "a list cannot be a key"),
  ]

  @Test("What cannot be done is said in a sentence", arguments: failures)
  func failuresRefused(_ source: String, _ what: String) {
    expect(source, .templateFailure, what)
  }

  @Test("A refusal of the template is passed on")
  func refusal() {
    guard case .failure(let error) = outcome("\n{{ raise_exception('Roles must\nalternate') }}")
    else {
      Issue.record("the template does not refuse")
      return
    }
    #expect(
      error.message
        == "chat template, line 2: the template refuses the conversation: Roles must\\nalternate.")
    #expect(error.code == .templateFailure)
  }

  static let limits: [(String, String)] = [
    (
      "{% for a in range(2000) %}{% for b in range(2000) %}{% endfor %}{% endfor %}",
      "the template took more than 1000000 steps"
    ),
    ("{% for a in range(10 ** 9) %}{% endfor %}", "a range has more than 100000 numbers"),
    ("{{ 'ab' * 10 ** 9 }}", "the template made a text of more than 16777216 bytes"),
    ("{{ 'ab' * 2 ** 62 }}", "the template made a text of more than 16777216 bytes"),
    (
      "{% set ns = namespace(s='aa') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}"
        + "{% endfor %}", "the template made a text of more than 16777216 bytes"
    ),
    (
      "{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}"
        + "{% endfor %}", "the template took more than 1000000 steps"
    ),
    (
      "{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% endfor %}",
      "a value nests deeper than 64, or holds itself"
    ),
    (
      "{% set ns = namespace() %}{% set ns.x = ns %}",
      "a value nests deeper than 64, or holds itself"
    ),
    (
      "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
      "blocks, expressions and macros nest deeper than 200"
    ),
    (
      "{% macro m() %}{{ caller() }}{% call m() %}{{ caller() }}{% endcall %}{% endmacro %}"
        + "{% call m() %}x{% endcall %}", "blocks, expressions and macros nest deeper than 200"
    ),
    ("{{ 'a'.zfill(10 ** 9) }}", "the template made a text of more than 16777216 bytes"),
    (
      "{% macro m() %}{% set ns = namespace() %}{% set ns.x = caller %}{% endmacro %}"
        + "{% call m() %}{% endcall %}", "a value nests deeper than 64, or holds itself"
    ),
    (
      "{% set l = range(9999)|list %}{% for i in l %}{% set t = l|batch(1)|list %}{% endfor %}",
      "the template took more than 1000000 steps"
    ),
    (nested("(", ")"), "blocks and brackets nest deeper than 120"),
    (nested("[", "]"), "blocks and brackets nest deeper than 120"),
    (nested("not ", ""), "blocks and brackets nest deeper than 120"),
    (nested("-", ""), "blocks and brackets nest deeper than 120"),
    (nested("1 + ", ""), "an expression nests deeper than 120"),
    (nested("", "|trim"), "an expression nests deeper than 120"),
    (nested("", ".x"), "an expression nests deeper than 120"),
    (
      String(repeating: "{% if 1 %}", count: 50_000), "blocks and brackets nest deeper than 120"
    ),
    (
      String(repeating: "x", count: 1_048_577),
      "it has 1048577 bytes and a template may have 1048576"
    ),
  ]

  @Test("A template that asks for too much is stopped", arguments: limits)
  func limitsRefused(_ source: String, _ what: String) {
    expect(source, .templateLimit, what)
  }

  @Test("A template is stopped within seconds, whatever it does")
  func time() {
    let word = "{% set s = 'ab' * 8000000 %}"
    for source in [
      word + "{% for i in range(99999) %}{{ 'b' in s }}{% endfor %}",
      word + "{% for i in range(99999) %}{% set t = s|replace('a', 'c') %}{% endfor %}",
      word + "{% for i in range(99999) %}{{ s == s ~ '' }}{% endfor %}",
      word + "{% for i in range(99999) %}{% set t = s|upper %}{% endfor %}",
      word + "{% for i in range(99999) %}{{ s[-1] }}{% endfor %}",
      word + "{% for i in range(99999) %}{% set t = s.split('a') %}{% endfor %}",
      "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    ] {
      let time = ContinuousClock().measure {
        guard case .failure(let error) = outcome(source) else {
          Issue.record("\(source) is rendered")
          return
        }
        #expect(error.code == .templateLimit)
      }
      #expect(time < .seconds(5), "\(source): \(time)")
    }
  }

  @Test("The date is told where one is given, in UTC")
  func date() throws {
    let template = try ChatTemplate("{{ strftime_now('%d %b %Y %H:%M') }}")
    let date = Date(timeIntervalSince1970: 1_722_000_000)
    #expect(try template.render(messages: [], date: date) == "26 Jul 2024 13:20")
  }
}

/// A source that nests.
private func nested(_ opening: String, _ closing: String) -> String {
  "{{ " + String(repeating: opening, count: 30_000) + "1"
    + String(repeating: closing, count: 30_000) + " }}"
}
