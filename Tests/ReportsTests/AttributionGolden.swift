/// Whole reports of the samples.
enum AttributionGolden {
  static let tokensAt80 = """
    tiny.gguf · 2 layers · float32 on cpu
    ig · path input · from zero · gauss-legendre 20 · 20 forward, 20 backward

    The keys to 東京 cabinet → " are" − " is"                      logit-diff 3.1855
    starts at −0.0145, changes by +3.2000

      token         score
      0 The       +0.1250   █▌
      1 ␣keys     +2.4000   ███████████████████████████████
      2 ␣to       −0.0625  ▒
      3 ␣東京     +0.8125   ██████████▌
      4 ␣cabinet  −0.0750  ▒
      sum         +3.2000
    sums to +3.2000; must be +3.2002, missing by 2.0e-04

    """

  static let tokensAt44InASCII = """
    tiny.gguf, 2 layers, float32 on cpu
    ig, path input, from zero, gauss-legendre 20
      20 forward, 20 backward

    ...u{6771}\\u{4EAC} cabinet -> " are" - " is"
    logit-diff 3.1855
    starts at -0.0145, changes by +3.2000

      token             score
      0 The           +0.1250   #
      1 _keys         +2.4000   ###############
      2 _to           -0.0625  =
      3 _\\u{6771}...  +0.8125   #####
      4 _cabinet      -0.0750  =
      sum             +3.2000
    sums to +3.2000; must be +3.2002, missing by
      2.0e-04

    """

  static let layersAt100 = """
    tiny.gguf · 2 layers · float32 on cpu
    relp · from contrast · rules relp · linear at clean · seed 7 · 2 forward, 1.5 backward
    against "The key to 東京 cabinet"

    The keys to 東京 cabinet → " are" − " is"                                          logit-diff 3.1855

      residual
      layer        0        1        2        3        4      sum
                 The    ␣keys      ␣to    ␣東京 ␣cabinet
          1 ▓▓▓▓▓▓▓▓ ▓▓▓▓▓▓▓▓ ████████ −███████ ████████   +6.172
          0 −▒▒▒▒▒▒▒ ▒▒▒▒▒▒▒▒ ▒▒▒▒▒▒▒▒ ▓▓▓▓▓▓▓▓ −▓▓▓▓▓▓▓   +0.688
        emb        · −░░░░░░░ ░░░░░░░░ ░░░░░░░░ ░░░░░░░░   +0.484
    █ is a score of 3.078, steps go by the root of the size; − takes away. The first layer is at the
      bottom.
    each of 3 layers has a sum it must reach; the worst, layer 1, sums to +6.1719 and constants +0.2500;
      must be +6.4238, missing by 2.0e-03

      all neurons of a layer at a token
      layer        0        1        2        3        4        sum
                 The    ␣keys      ␣to    ␣東京 ␣cabinet
          1 ▓▓▓▓▓▓▓▓ ████████ −███████ ████████ ████████   +0.09375
          0 ▒▒▒▒▒▒▒▒ −▒▒▒▒▒▒▒ ▒▒▒▒▒▒▒▒ ▓▓▓▓▓▓▓▓ −▓▓▓▓▓▓▓   +0.00391
    █ is a score of 0.03906, steps go by the root of the size; − takes away. The first layer is at the
      bottom.

      the strongest neurons
      layer, neuron  token          score    value
      1 n1203        4 ␣cabinet  +0.21875   3.5000            ██████████
      0 n7           3 ␣東京     −0.18750  −0.2500   ▐▒▒▒▒▒▒▒▒
      1 n88          1 ␣keys     +0.06250        ·            ███
    no certificate: the neurons of a layer are no cut of the model, so nothing fixes their sum.

      heads, summed over tokens
      layer       h0       h1       sum
          1 ████████ ████████   +0.8047
          0 ▒▒▒▒▒▒▒▒ ▓▓▓▓▓▓▓▓   +0.3359
    █ is a score of 0.4609, steps go by the root of the size; − takes away. The first layer is at the
      bottom.
    no certificate: heads are no cut of the model.

      tokens
      token         score
      0 The       −0.5000                          ▒▒▒▒▒▒▒▒
      1 ␣keys     −0.2500                              ▒▒▒▒
      2 ␣to        0.0000                                 ▕
      3 ␣東京     −2.0000  ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
      4 ␣cabinet  −1.0000                  ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
      sum         −3.7500
    no certificate: the gradient alone has no sum.

    """

  static let layersAt60 = """
    tiny.gguf · 2 layers · float32 on cpu
    relp · from contrast · rules relp · linear at clean · seed 7
      2 forward, 1.5 backward
    against "The key to 東京 cabinet"

    The keys to 東京 cabinet → " are" − " is"  logit-diff 3.1855

      residual
      layer       0       1       2       3       4      sum
                The   ␣keys     ␣to   ␣東京 ␣cabin…
          1 ▓▓▓▓▓▓▓ ▓▓▓▓▓▓▓ ███████ −██████ ███████   +6.172
          0 −▒▒▒▒▒▒ ▒▒▒▒▒▒▒ ▒▒▒▒▒▒▒ ▓▓▓▓▓▓▓ −▓▓▓▓▓▓   +0.688
        emb       · −░░░░░░ ░░░░░░░ ░░░░░░░ ░░░░░░░   +0.484
    █ is a score of 3.078, steps go by the root of the size; −
      takes away. The first layer is at the bottom.
    each of 3 layers has a sum it must reach; the worst, layer
      1, sums to +6.1719 and constants +0.2500; must be +6.4238,
      missing by 2.0e-03

      all neurons of a layer at a token
      layer       0       1       2       3       4        sum
                The   ␣keys     ␣to   ␣東京 ␣cabin…
          1 ▓▓▓▓▓▓▓ ███████ −██████ ███████ ███████   +0.09375
          0 ▒▒▒▒▒▒▒ −▒▒▒▒▒▒ ▒▒▒▒▒▒▒ ▓▓▓▓▓▓▓ −▓▓▓▓▓▓   +0.00391
    █ is a score of 0.03906, steps go by the root of the size; −
      takes away. The first layer is at the bottom.

      the strongest neurons
      layer, neuron  token          score    value
      1 n1203        4 ␣cabinet  +0.21875   3.5000       █████
      0 n7           3 ␣東京     −0.18750  −0.2500  ▐▒▒▒▒
      1 n88          1 ␣keys     +0.06250        ·       █▌
    no certificate: the neurons of a layer are no cut of the
      model, so nothing fixes their sum.

      heads, summed over tokens
      layer       h0       h1       sum
          1 ████████ ████████   +0.8047
          0 ▒▒▒▒▒▒▒▒ ▓▓▓▓▓▓▓▓   +0.3359
    █ is a score of 0.4609, steps go by the root of the size; −
      takes away. The first layer is at the bottom.
    no certificate: heads are no cut of the model.

      tokens
      token         score
      0 The       −0.5000              ▒▒▒▒
      1 ␣keys     −0.2500                ▒▒
      2 ␣to        0.0000                 ▕
      3 ␣東京     −2.0000  ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒
      4 ␣cabinet  −1.0000          ▒▒▒▒▒▒▒▒
      sum         −3.7500
    no certificate: the gradient alone has no sum.

    """

  static let longAt80 = """
    tiny.gguf · 2 layers · float32 on cpu
    ig · path input · from zero · gauss-legendre 20 · 20 forward, 20 backward

    …rd194 word195 word196 word197 word198 東199 → " are" − " is"  logit-diff 3.1855
    starts at −0.0145, changes by +3.2000

      tokens
      token            score
       30 ␣word30    +1.5781  ████████████████████████████████
       60 ␣word60    +1.5625  ███████████████████████████████▌
       90 ␣word90    +1.5469  ███████████████████████████████▌
      131 ␣word131   +1.5781  ████████████████████████████████
      161 ␣word161   +1.5625  ███████████████████████████████▌
      195 others    +44.0000
      sum           +51.8281
    sums to +51.8281; must be +51.8281, missing by 0

      mlp
      8 ␣word8  16 ␣word16  19 ␣word19  27 ␣word27  30 ␣word30  38 ␣東38  46 ␣word46
      49 ␣word49  57 ␣word57  60 ␣word60  68 ␣word68  76 ␣word76  79 ␣word79
      87 ␣東87  90 ␣word90  98 ␣word98  109 ␣word109  117 ␣word117  120 ␣word120
      128 ␣word128  131 ␣word131  139 ␣word139  147 ␣word147  150 ␣東150
      158 ␣word158  161 ␣word161  169 ␣word169  177 ␣word177  180 ␣word180
      188 ␣word188  191 ␣word191  199 ␣東199
      layer 8   19  30  46  57  68  79  90  109 120 131 147 158 169 180 191      sum
          1 ██−█−███████−█−███████−█−███████−█████████−█████████−█████████−█  +51.83
          0 ██−█−███████−█−███████−█−███████−█████████−█████████−█████████−█  +51.83
    █ is a score of 1.578, steps go by the root of the size; − takes away. The first
      layer is at the bottom. Shown are the 32 of 200 tokens with the largest.

    """

  static let oneAt60 = """
    tiny.gguf · 2 layers · float32 on cpu
    ig · path input · from zero · gauss-legendre 20
      20 forward, 20 backward

     word0 → " are" − " is"                    logit-diff 3.1855
    starts at −0.0145, changes by +3.2000

      tokens
      token         score
      0 ␣word0  +0.015625  ████████████████
      sum       +0.015625
    sums to +0.015625; must be +0.015625, missing by 0

      mlp
      layer        0        sum
              ␣word0
          1 ████████   +0.01563
          0 ████████   +0.01563
    █ is a score of 0.01563, steps go by the root of the size; −
      takes away. The first layer is at the bottom.

    """

  static let csv = """
    unit,quantity,layer,position,token,index,score,value\r
    "residual","score",-1,0,"The",,0.015625,\r
    "residual","score",-1,1," keys",,-0.03125,\r
    "residual","score",-1,2," to",,0.078125,\r
    "residual","score",-1,3," 東京",,0.15625,\r
    "residual","score",-1,4," cabinet",,0.265625,\r
    "residual","score",0,0,"The",,-0.40625,\r
    "residual","score",0,1," keys",,0.578125,\r
    "residual","score",0,2," to",,0.78125,\r
    "residual","score",0,3," 東京",,1.015625,\r
    "residual","score",0,4," cabinet",,-1.28125,\r
    "residual","score",1,0,"The",,1.578125,\r
    "residual","score",1,1," keys",,1.90625,\r
    "residual","score",1,2," to",,2.265625,\r
    "residual","score",1,3," 東京",,-2.65625,\r
    "residual","score",1,4," cabinet",,3.078125,\r
    "residual","sum",-1,,,,0.484375,\r
    "residual","constants",-1,,,,0.25,\r
    "residual","expected",-1,,,,0.734375,\r
    "residual","residual",-1,,,,0.0,\r
    "residual","sum",0,,,,0.6875,\r
    "residual","constants",0,,,,0.25,\r
    "residual","expected",0,,,,0.9384765625,\r
    "residual","residual",0,,,,0.0009765625,\r
    "residual","sum",1,,,,6.171875,\r
    "residual","constants",1,,,,0.25,\r
    "residual","expected",1,,,,6.423828125,\r
    "residual","residual",1,,,,0.001953125,\r
    "neuron","score",0,0,"The",,0.00390625,\r
    "neuron","score",0,1," keys",,-0.0078125,\r
    "neuron","score",0,2," to",,0.01171875,\r
    "neuron","score",0,3," 東京",,0.015625,\r
    "neuron","score",0,4," cabinet",,-0.01953125,\r
    "neuron","score",1,0,"The",,0.0234375,\r
    "neuron","score",1,1," keys",,0.02734375,\r
    "neuron","score",1,2," to",,-0.03125,\r
    "neuron","score",1,3," 東京",,0.03515625,\r
    "neuron","score",1,4," cabinet",,0.0390625,\r
    "neuron","top",1,4," cabinet",1203,0.21875,3.5\r
    "neuron","top",0,3," 東京",7,-0.1875,-0.25\r
    "neuron","top",1,1," keys",88,0.0625,\r
    "head","score",0,0,"The",0,0.015625,\r
    "head","score",0,0,"The",1,-0.0234375,\r
    "head","score",0,1," keys",0,0.03125,\r
    "head","score",0,1," keys",1,0.0390625,\r
    "head","score",0,2," to",0,0.046875,\r
    "head","score",0,2," to",1,0.0546875,\r
    "head","score",0,3," 東京",0,-0.0625,\r
    "head","score",0,3," 東京",1,0.0703125,\r
    "head","score",0,4," cabinet",0,0.078125,\r
    "head","score",0,4," cabinet",1,0.0859375,\r
    "head","score",1,0,"The",0,0.09375,\r
    "head","score",1,0,"The",1,-0.1015625,\r
    "head","score",1,1," keys",0,0.109375,\r
    "head","score",1,1," keys",1,0.1171875,\r
    "head","score",1,2," to",0,0.125,\r
    "head","score",1,2," to",1,0.1328125,\r
    "head","score",1,3," 東京",0,-0.140625,\r
    "head","score",1,3," 東京",1,0.1484375,\r
    "head","score",1,4," cabinet",0,0.15625,\r
    "head","score",1,4," cabinet",1,0.1640625,\r
    "token","score",,0,"The",,-0.5,\r
    "token","score",,1," keys",,-0.25,\r
    "token","score",,2," to",,0.0,\r
    "token","score",,3," 東京",,-2.0,\r
    "token","score",,4," cabinet",,-1.0,\r

    """
}
