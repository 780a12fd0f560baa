/// Whole reports of the samples.
enum CircuitGolden {
  static let edgesAt100 = """
    tiny.gguf · 4 layers · float32 on cpu
    relp · rules relp · 1 forward, 1 backward

    The keys 東京 → " are" − " "is"                                                    logit-diff 2.5000

      4 of 1920 neurons, 0.208%
      layer, neuron  token      score    value
      3 n101         2 ␣東京  +1.5000   4.0000         █████████████
      1 n7           1 ␣keys  −0.7500   0.5000  ▐▒▒▒▒▒▒
      0 n12          0 The    +0.5000  −0.1250         ████▌
      3 n55          2 ␣東京  −0.2500        ·       ▒▒

      where they are
      layer        0        1        2   nodes
                 The    ␣keys    ␣東京
          3        ·        · ████████       2
          2        ·        ·        ·       0
          1        · −▓▓▓▓▓▓▓        ·       1
          0 ▓▓▓▓▓▓▓▓        ·        ·       1
    █ is a sum of scores of 1.250, steps go by the root of the size; − takes away. The first layer is at
      the bottom.

      6 edges
      from → to                               gives   share
      3 n101 at 2 ␣東京 → metric           +0.37500   75.0%       ███████████
      1 n7 at 1 ␣keys → 3 n101 at 2 ␣東京  +0.31250   62.5%       █████████
      1 ␣keys → 1 n7 at 1 ␣keys            −0.15625  −31.3%  ▐▒▒▒▒
      0 n12 at 0 The → 3 n55 at 2 ␣東京    +0.09375   18.8%       ███
      0 The → 0 n12 at 0 The               +0.06250   12.5%       ██
      3 n55 at 2 ␣東京 → metric            −0.04688   −9.4%     ▐▒
    gives: what flows along the edge to the metric; share: how much of its target it explains.

    """

  static let edgesAt60InASCII = """
    tiny.gguf, 4 layers, float32 on cpu
    relp, rules relp, 1 forward, 1 backward

    ...ys \\u{6771}\\u{4EAC} -> " are" - " "is"  logit-diff 2.5000

      4 of 1920 neurons, 0.208%
      layer, neuron  token              score    value
      3 n101         2 _\\u{6771}\\...  +1.5000   4.0000
      1 n7           1 _keys          -0.7500   0.5000
      0 n12          0 The            +0.5000  -0.1250
      3 n55          2 _\\u{6771}\\...  -0.2500        .

      where they are
      layer        0        1        2   nodes
                 The    _keys _\\u{6...
          3        .        . @@@@@@@@       2
          2        .        .        .       0
          1        . -#######        .       1
          0 ########        .        .       1
    @ is a sum of scores of 1.250, steps go by the root of the
      size; - takes away. The first layer is at the bottom.

      6 edges
      from -> to                         gives   share
      3 n101 at 2 ... -> metric       +0.37500   75.0%     #####
      1 n7 at 1 _keys -> 3 n101 a...  +0.31250   62.5%     ####
      1 _keys -> 1 n7 at 1 _keys      -0.15625  -31.3%   ==
      0 n12 at 0 The -> 3 n55 at ...  +0.09375   18.8%     ##
      0 The -> 0 n12 at 0 The         +0.06250   12.5%     #
      3 n55 at 2 _... -> metric       -0.04688   -9.4%    =
    gives: what flows along the edge to the metric; share: how
      much of its target it explains.

    """

  static let summedAt80 = """
    tiny.gguf · 4 layers · float32 on cpu
    relp · rules relp · task sva-simple · 300 prompts for scores · seed 12
      1 forward, 1 backward

    The keys 東京 → " are" − " "is"                                logit-diff 2.5000
    The first prompt of the task; the metric is the mean over its prompts.

      4 of 1920 neurons, 0.208%
      layer, neuron    score    value
      3 n101         +1.5000   4.0000         █████████████
      1 n7           −0.7500   0.5000  ▐▒▒▒▒▒▒
      0 n12          +0.5000  −0.1250         ████▌
      3 n55          −0.2500        ·       ▒▒

    """

  static let evaluationAt100 = """
    tiny.gguf · 4 layers · float32 on cpu
    relp · rules relp · task sva-simple · 300 prompts for scores · 40 for circuits · seed 12
      26 forward, 2 backward

    The keys 東京 → " are" − " "is"                                                    logit-diff 2.5000
    The first prompt of the task; the metric is the mean over its prompts.

      circuits of growing size
      method               f ≥ 0.9  c ≤ 0.2    CMD    CPR  scores   curve  CMD log  CPR log
      relp rules relp           20       20  0.060  0.960   1F 1B  13F 0B    0.310    0.700
      atp linear at clean     1920     1920  0.373  0.648   1F 1B  13F 0B    0.310    0.700
    f ≥ 0.9, c ≤ 0.2: the nodes of the first circuit with that faithfulness, and with that completeness.
      CMD: area between faithfulness and 1. CPR: area below it. scores, curve: passes, F forward and B
      backward.

      relp rules relp
      mean ablation · selection top-absolute · F(M) 2.5000 · F(∅) 0.5000
      nodes   share  faithful  complete
          0    0.0%     0.000     1.000  ▏
          2  0.104%     0.250     0.750  ████▌
         20   1.04%     0.950     0.050  ██████████████████
        192   10.0%     1.063    −0.063  ████████████████████
       1920  100.0%     1.000     0.000  ███████████████████

      atp linear at clean
      mean ablation · selection top-absolute · F(M) 2.5000 · F(∅) 0.5000
      nodes   share  faithful  complete
          0    0.0%     0.000     1.000    ▏
          2  0.104%    −0.063     1.063   ▒
         20   1.04%     0.638     0.363    ███████████▌
        192   10.0%     0.750     0.250    █████████████▌
       1920  100.0%     1.000     0.000    ██████████████████

    """

  static let undefinedAt80 = """
    tiny.gguf · 4 layers · float32 on cpu
    relp · rules relp · task sva-simple · 300 prompts for scores · 40 for circuits
      seed 12 · 26 forward, 2 backward

    The keys 東京 → " are" − " "is"                                logit-diff 2.5000
    The first prompt of the task; the metric is the mean over its prompts.

      circuits of growing size
      method           f ≥ 0.9  c ≤ 0.2  CMD  CPR  scores   curve  CMD log  CPR log
      relp rules relp        ·        ·    ·    ·   1F 1B  13F 0B        ·        ·
    f ≥ 0.9, c ≤ 0.2: the nodes of the first circuit with that faithfulness, and
      with that completeness. CMD: area between faithfulness and 1. CPR: area below
      it. scores, curve: passes, F forward and B backward.

      mean ablation · selection top-absolute · F(M) 2.5000 · F(∅) 2.5000
      nodes   share  faithful  complete
          0    0.0%         ·         ·
          2  0.104%         ·         ·
         20   1.04%         ·         ·
        192   10.0%         ·         ·
       1920  100.0%         ·         ·
    The metric with every node is too near to the metric with none: faithfulness and
      completeness have no divisor.

    """

  static let csv = """
    kind,layer,position,token,unit,score,value,source,target,weight,attribution,method,ablation,selection,nodes,share,threshold,circuit,complement,faithfulness,completeness\r
    "node",3,2," 東京",101,1.5,4.0,,,,,,,,,,,,,,\r
    "node",1,1," keys",7,-0.75,0.5,,,,,,,,,,,,,,\r
    "node",0,0,"The",12,0.5,-0.125,,,,,,,,,,,,,,\r
    "node",3,2," 東京",55,-0.25,,,,,,,,,,,,,,,\r
    "edge",,,,,,0.5,"token 0","node 2",0.125,0.0625,,,,,,,,,,\r
    "edge",,,,,,-1.25,"token 1","node 1",-0.3125,-0.15625,,,,,,,,,,\r
    "edge",,,,,,2.5,"node 1","node 0",0.625,0.3125,,,,,,,,,,\r
    "edge",,,,,,0.75,"node 2","node 3",0.1875,0.09375,,,,,,,,,,\r
    "edge",,,,,,3.0,"node 0","metric",0.75,0.375,,,,,,,,,,\r
    "edge",,,,,,-0.375,"node 3","metric",-0.09375,-0.046875,,,,,,,,,,\r
    "point",,,,,,,,,,,"relp, rules relp","mean","top-absolute",0,0.0,,0.5,2.5,0.0,1.0\r
    "point",,,,,,,,,,,"relp, rules relp","mean","top-absolute",2,0.0010416666666666667,,1.0,2.0,0.25,0.75\r
    "point",,,,,,,,,,,"relp, rules relp","mean","top-absolute",20,0.010416666666666666,,2.4,0.6000000000000001,0.95,0.050000000000000044\r
    "point",,,,,,,,,,,"relp, rules relp","mean","top-absolute",192,0.1,,2.625,0.375,1.0625,-0.0625\r
    "point",,,,,,,,,,,"relp, rules relp","mean","top-absolute",1920,1.0,,2.5,0.5,1.0,0.0\r
    "point",,,,,,,,,,,"atp, linear at clean","mean","top-absolute",0,0.0,,0.5,2.5,0.0,1.0\r
    "point",,,,,,,,,,,"atp, linear at clean","mean","top-absolute",2,0.0010416666666666667,,0.375,2.625,-0.0625,1.0625\r
    "point",,,,,,,,,,,"atp, linear at clean","mean","top-absolute",20,0.010416666666666666,,1.775,1.225,0.6375,0.36250000000000004\r
    "point",,,,,,,,,,,"atp, linear at clean","mean","top-absolute",192,0.1,,2.0,1.0,0.75,0.25\r
    "point",,,,,,,,,,,"atp, linear at clean","mean","top-absolute",1920,1.0,,2.5,0.5,1.0,0.0\r

    """
}
