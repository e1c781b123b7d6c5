// What a claimed node, or a group of them, becomes.
#pragma once
#include <memory>

#include "graph.h"
#include "runs.h"

// What a node is given while it runs.
struct Call {
  OrtKernelContext* context;
  int threads;
  Run& run;
};

// Made once, when the session is created, and run by several threads at once: `run` changes nothing in it and
// takes its memory from `call.run.scratch`.
struct Node : Allocated {
  virtual ~Node() = default;
  virtual OrtStatus* run(const Call& call) const = 0;
};

OrtStatus* cancelled_error();

// Runs work(i) for every i below `count`, on ONNX Runtime's threads and this one. Each thread gets
// `parts_a_thread` parts of about equal length: more even out work of unequal length, and cost a little each.
// Ends early, with an error, where the run is cancelled.
template <class Work>
OrtStatus* parallel(const Call& call, int64_t count, const Work& work, int64_t parts_a_thread = 1) {
  struct Job {
    const Run& run;
    const Work& work;
    int64_t count, parts;
  };
  auto part = [](void* given, size_t place) {
    const Job& job = *static_cast<const Job*>(given);
    int64_t last = job.count * ((int64_t)place + 1) / job.parts;
    for (int64_t i = job.count * (int64_t)place / job.parts; i < last && !job.run.cancelled(); ++i) job.work(i);
  };
  int64_t parts = call.threads > 1 ? call.threads * parts_a_thread : 1;
  Job job{call.run, work, count, parts < count ? parts : count};
  if (count > 0 && job.parts == 1) part(&job, 0);
  if (job.parts > 1) TRY(ort->KernelContext_ParallelFor(call.context, part, (size_t)job.parts, 0, &job));
  return call.run.cancelled() ? cancelled_error() : nullptr;
}
