// What a level of processor offers to the nodes.
#pragma once

struct Kernels {
  const char* level;
  void (*negate)(const float*, float*, long long);
};
