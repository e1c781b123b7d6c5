// Which nodes of a model are claimed, and what runs in their place.
#pragma once
#include "node.h"
#include "table.h"

class Arena;

// What the caller set for this session, and where its packed weights go.
struct Options {
  int threads = 1;
  const Kernels* kernels = nullptr;
  bool selftest = false;  // claim what only tests are for
  Arena* weights = nullptr;
};

// Asked for every node of a graph: adds to `group` the nodes that are claimed together with it, or
// nothing. Asked again when they are compiled, where they are a graph of their own, and has to answer
// alike there.
using Claim = OrtStatus* (*)(const Graph& graph, const GraphNode& node, const Options& options,
                             Array<const GraphNode*>* group);

// Makes what runs in place of claimed nodes, when they are compiled. `node` is the one that claimed the
// rest.
using Build = OrtStatus* (*)(const Graph& claimed, const GraphNode& node, const Options& options,
                             std::unique_ptr<Node>* built);

// Whether constants are given to the node while it runs, or read once, when it is built, and let go.
enum class Constants { read_once, kept };

struct Rule {
  Claim claim;
  Build build;
  Constants constants = Constants::read_once;
};

extern const Rule product, grouped_queries, multi_head;

// In the order they are asked: the first that claims a node has it. Ends with nullptr.
extern const Rule* const kRules[];
