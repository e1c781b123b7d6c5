// Which nodes of a model are claimed, and what runs in their place.
#pragma once
#include "node.h"
#include "table.h"

// What the caller set for this session.
struct Options {
  int threads = 1;
  const Kernels* kernels = nullptr;
  bool selftest = false;  // claim what only tests are for
};

// Asked for every node of a graph: adds to `group` the nodes that are claimed together with it, or nothing.
// Asked again when they are compiled, where they are a graph of their own, and has to answer alike there.
using Claim = OrtStatus* (*)(const Graph& graph, const GraphNode& node, const Options& options,
                             Array<const GraphNode*>* group);

// Makes what runs in place of claimed nodes, when they are compiled. `node` is the one that claimed the rest.
using Build = OrtStatus* (*)(const Graph& claimed, const GraphNode& node, const Options& options,
                             std::unique_ptr<Node>* built);

struct Rule {
  Claim claim;
  Build build;
};

// In the order they are asked: the first that claims a node has it. The last one is empty.
extern const Rule kRules[];
