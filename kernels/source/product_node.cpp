// A product of rounded rows and packed weights as a node, with what stands before it row by row: a norm
// (and the sum that the norm is of), a gate, a smoothing factor. So that a row is read once, rounded
// once, and the numbers in between are never written.
//
// Read backwards from the product, in the forms that satchel's exporter writes:
//
//   [SkipSimplifiedLayerNormalization | RMSNormalization | LayerNormalization [of a Sum]]
//   [Split] [QuickGelu | Gelu] [Mul]  [Mul by a vector]
//   [[Abs] ReduceMax, Mul, Max, Div]  [QuantizeLinear]  MatMulIntegerToFloat | MatMulNBits  [Add of a
//   bias]
#include <initializer_list>

#include "arena.h"
#include "claims.h"
#include "dispatch.h"

namespace {

constexpr int64_t kPiece = 64;          // rows that a thread takes at once
constexpr int64_t kMostInputs = 32768;  // k * 255 * 127 stays below 2^31
constexpr int64_t kMostOfAFile =
    1 << 28;  // k and n as attributes: their product in bits stays below 2^63

enum class Norm { none, rms, layer };
enum class Gate { none, quick_gelu, gelu, gelu_tanh };
enum class Rounding { blocks, fixed, row };

// The nodes of a group and the values that matter, found once when it is claimed and once when it is
// built.
struct Plan {
  const GraphNode* multiply = nullptr;
  const OrtValueInfo* out = nullptr;
  const OrtValueInfo* bias = nullptr;
  Rounding rounding = Rounding::blocks;
  bool magnitude = false;                 // of row rounding: the largest of |x|, else of x
  float scale = 1, steps = 1, least = 0;  // row scale: max(largest * steps, least)
  int zero = 0;
  const OrtValueInfo* smoothing = nullptr;
  Gate gate = Gate::none;
  float alpha = 1;
  bool gated = false;  // two halves of a row: activation(first) * second
  Norm norm = Norm::none;
  float epsilon = 0;
  const OrtValueInfo *weight = nullptr, *norm_bias = nullptr, *skip = nullptr, *sum = nullptr,
                     *normed = nullptr;
  const OrtValueInfo* x = nullptr;      // what the group starts from
  const OrtValueInfo* zeros = nullptr;  // of blocks
  int64_t k = 0, n = 0, bits = 8, block = 0;
};

OrtStatus* float_constant(const OrtValueInfo* value, int64_t count, Tensor* tensor, bool* ok) {
  TRY(constant(value, tensor));
  *ok = tensor->data && tensor->type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT &&
        (count < 0 || tensor->count() == count);
  return nullptr;
}

OrtStatus* is_float(const OrtValueInfo* value, bool* ok) {
  Tensor t;
  TRY(described(value, &t));
  *ok = t.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  return nullptr;
}

// Whether a weight is -128.
bool has_lowest(const Tensor& weights) {
  bool has = false;
  for (int64_t i = 0; i < weights.count(); ++i)
    has |= weights.as<int8_t>()[i] == -128;
  return has;
}

class Reader {
 public:
  Reader(const Graph& graph, const Kernels& kernels, Plan* plan, Array<const GraphNode*>* group)
      : graph_(graph), kernels_(kernels), plan_(*plan), group_(*group) {}

  // Leaves the group empty where the node is no product that can be done.
  OrtStatus* read(const GraphNode& node) {
    bool ok = false;
    plan_.multiply = &node;
    plan_.out = node.output(0);
    if (node.is("MatMulNBits", "com.microsoft")) TRY(read_blocks(node, &ok));
    if (node.is("MatMulIntegerToFloat", "com.microsoft")) TRY(read_channels(node, &ok));
    if (!ok) {
      group_.clear();
      return nullptr;
    }
    bool floats;
    TRY(is_float(plan_.x, &floats));
    if (!floats) {
      group_.clear();
      return nullptr;
    }
    TRY(read_bias());
    if (plan_.rounding == Rounding::blocks) return read_before();
    TRY(read_smoothing());
    return read_before();
  }

 private:
  // The node that makes `value` for the group alone.
  OrtStatus* sole(const OrtValueInfo* value, const GraphNode** node) {
    *node = graph_.producer(value);
    bool within = false;
    if (*node) TRY(graph_.read_within(value, group_, &within));
    if (!within) *node = nullptr;
    return nullptr;
  }

  OrtStatus* read_blocks(const GraphNode& node, bool* ok) {
    int64_t level = 0;
    plan_.bits = 4;
    TRY(node.attribute("K", &plan_.k));
    TRY(node.attribute("N", &plan_.n));
    TRY(node.attribute("bits", &plan_.bits));
    TRY(node.attribute("block_size", &plan_.block));
    TRY(node.attribute("accuracy_level", &level));
    for (size_t i = 4; i < node.inputs.size(); ++i)
      if (node.input(i)) return nullptr;
    if (level != 4 || (plan_.bits != 8 && plan_.bits != 4) || plan_.k < 1 || plan_.n < 1) return nullptr;
    if (plan_.block < 16 || plan_.block > 4096 || plan_.block % 16) return nullptr;
    if (plan_.k > kMostOfAFile || plan_.n > kMostOfAFile) return nullptr;
    const int64_t blocks = (plan_.k + plan_.block - 1) / plan_.block;
    Tensor w, s;
    bool floats;
    TRY(constant(node.input(1), &w));
    TRY(float_constant(node.input(2), plan_.n * blocks, &s, &floats));
    if (!floats || !w.data || w.type != ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8) return nullptr;
    if (w.count() != plan_.n * blocks * plan_.block * plan_.bits / 8) return nullptr;
    if (plan_.bits == 8 && plan_.k % plan_.block) return nullptr;
    if (node.input(3)) {
      Tensor zeros;
      TRY(constant(node.input(3), &zeros));
      if (!zeros.data || zeros.type != ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8 ||
          zeros.count() != plan_.n * ((blocks * plan_.bits + 7) / 8))
        return nullptr;
      plan_.zeros = node.input(3);
    }
    plan_.x = node.input(0);
    *ok = true;
    return group_.add(&node);
  }

  OrtStatus* read_channels(const GraphNode& node, bool* ok) {
    Tensor w, s, zero;
    bool floats;
    TRY(constant(node.input(1), &w));
    TRY(float_constant(node.input(3), -1, &s, &floats));
    TRY(constant(node.input(4), &zero));
    if (!floats || !w.data || w.type != ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8 || w.rank != 2) return nullptr;
    plan_.k = w.shape[0], plan_.n = w.shape[1];
    plan_.block = plan_.k;
    if (plan_.k < 1 || plan_.k > kMostInputs || plan_.n < 1 || (s.count() != 1 && s.count() != plan_.n))
      return nullptr;
    if (!zero.data || zero.type != ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8 || zero.count() != 1)
      return nullptr;
    if (node.input(5)) {  // zero points of weights
      Tensor zeros;
      TRY(constant(node.input(5), &zeros));
      if (!zeros.data) return nullptr;
      for (int64_t i = 0; i < zeros.count(); ++i)
        if (zeros.as<int8_t>()[i]) return nullptr;
    }
    if (!kernels_.any_weights && has_lowest(w)) return nullptr;
    if (node.input(6)) {
      Tensor bias;
      TRY(float_constant(node.input(6), plan_.n, &bias, &floats));
      if (!floats) return nullptr;
      plan_.bias = node.input(6);
    }
    plan_.zero = *zero.as<uint8_t>();
    TRY(group_.add(&node));
    const GraphNode* quantizer;
    TRY(sole(node.input(0), &quantizer));
    if (!quantizer || !quantizer->is("QuantizeLinear")) return nullptr;
    Tensor scale, its_zero;
    TRY(float_constant(quantizer->input(1), 1, &scale, &floats));
    TRY(constant(quantizer->input(2), &its_zero));
    if (!floats || !its_zero.data || its_zero.type != ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8 ||
        its_zero.count() != 1 || *its_zero.as<uint8_t>() != plan_.zero)
      return nullptr;
    TRY(group_.add(quantizer));
    plan_.x = quantizer->input(0);
    plan_.scale = *scale.as<float>();
    Tensor product_scale;
    TRY(float_constant(node.input(2), 1, &product_scale, &floats));
    if (floats && *product_scale.as<float>() == plan_.scale) {
      plan_.rounding = Rounding::fixed;
      *ok = plan_.scale > 0;
      return nullptr;
    }
    // With a bias of its own and a scale for each row, ONNX Runtime's kernel scales the bias too.
    return plan_.scale == 1 && !plan_.bias ? read_row_scale(node.input(2), ok) : nullptr;
  }

  // x / s with s = max(largest of the row * steps, least), which the product multiplies by again.
  OrtStatus* read_row_scale(const OrtValueInfo* scale, bool* ok) {
    const GraphNode *div, *max, *mul, *reduce;
    TRY(sole(plan_.x, &div));
    if (!div || !div->is("Div") || div->input(1) != scale) return nullptr;
    TRY(group_.add(div));
    TRY(sole(scale, &max));
    Tensor least, steps, axes;
    bool floats;
    if (!max || !max->is("Max") || max->inputs.size() != 2) return nullptr;
    TRY(float_constant(max->input(1), 1, &least, &floats));
    if (!floats) return nullptr;
    TRY(group_.add(max));
    TRY(sole(max->input(0), &mul));
    if (!mul || !mul->is("Mul")) return nullptr;
    TRY(float_constant(mul->input(1), 1, &steps, &floats));
    if (!floats) return nullptr;
    TRY(group_.add(mul));
    TRY(sole(mul->input(0), &reduce));
    if (!reduce || !reduce->is("ReduceMax")) return nullptr;
    int64_t keep = 1;
    TRY(reduce->attribute("keepdims", &keep));
    TRY(constant(reduce->input(1), &axes));
    if (!keep || !axes.data || axes.type != ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 || axes.count() != 1 ||
        *axes.as<int64_t>() != -1)
      return nullptr;
    TRY(group_.add(reduce));
    plan_.x = div->input(0);
    const OrtValueInfo* reduced = reduce->input(0);
    if (reduced != plan_.x) {
      const GraphNode* abs;
      TRY(sole(reduced, &abs));
      if (!abs || !abs->is("Abs") || abs->input(0) != plan_.x) return nullptr;
      TRY(group_.add(abs));
      plan_.magnitude = true;
    }
    plan_.steps = *steps.as<float>();
    plan_.least = *least.as<float>();
    plan_.rounding = Rounding::row;
    *ok = plan_.least > 0;
    return nullptr;
  }

  // A bias that is added behind the product.
  OrtStatus* read_bias() {
    const GraphNode* add;
    TRY(graph_.only_reader(plan_.out, &add));
    if (plan_.bias || !add || !add->is("Add")) return nullptr;
    const size_t place = add->input(0) == plan_.out ? 1 : 0;
    Tensor bias;
    bool floats;
    TRY(float_constant(add->input(place), plan_.n, &bias, &floats));
    if (!floats || bias.rank != 1) return nullptr;
    plan_.bias = add->input(place);
    plan_.out = add->output(0);
    return group_.add(add);
  }

  // A vector of factors, in front of the rounding.
  OrtStatus* read_smoothing() {
    const GraphNode* mul;
    TRY(sole(plan_.x, &mul));
    if (!mul || !mul->is("Mul")) return nullptr;
    Tensor factors;
    bool floats;
    TRY(float_constant(mul->input(1), plan_.k, &factors, &floats));
    if (!floats || factors.rank != 1) return nullptr;
    plan_.smoothing = mul->input(1);
    plan_.x = mul->input(0);
    return group_.add(mul);
  }

  OrtStatus* read_before() {
    const GraphNode* node = graph_.producer(plan_.x);
    if (!node) return nullptr;
    if (node->is("Mul")) return read_gate(*node);
    Gate gate;
    TRY(activation(*node, &gate));
    if (gate != Gate::none) {
      TRY(sole(plan_.x, &node));
      if (!node) return nullptr;
      plan_.gate = gate;
      plan_.x = node->input(0);
      return group_.add(node);
    }
    return read_norm(*node);
  }

  OrtStatus* activation(const GraphNode& node, Gate* gate) {
    *gate = Gate::none;
    if (node.is("QuickGelu", "com.microsoft")) {
      plan_.alpha = 1.702f;
      TRY(node.attribute("alpha", &plan_.alpha));
      *gate = Gate::quick_gelu;
    } else if (node.is("Gelu")) {
      Array<char> form;
      TRY(node.attribute("approximate", &form));
      *gate = strcmp(form.data(), "tanh") == 0 ? Gate::gelu_tanh : Gate::gelu;
    } else if (node.is("Gelu", "com.microsoft")) {
      *gate = Gate::gelu;
    }
    return nullptr;
  }

  // activation(first half) * second half of one value's rows.
  OrtStatus* read_gate(const GraphNode& mul) {
    const GraphNode *product, *act, *split;
    TRY(sole(plan_.x, &product));
    act = graph_.producer(mul.input(0));
    split = graph_.producer(mul.input(1));
    if (!product || !act || !split || !split->is("Split") || split->outputs.size() != 2) return nullptr;
    Gate gate;
    TRY(activation(*act, &gate));
    if (gate == Gate::none || act->input(0) != split->output(0) || mul.input(1) != split->output(1))
      return nullptr;
    Tensor halves;
    int64_t axis = 0;
    TRY(split->attribute("axis", &axis));
    TRY(described(split->input(0), &halves));
    if (split->input(1) || !halves.shape_known || (axis != -1 && axis != (int64_t)halves.rank - 1))
      return nullptr;
    if (halves.shape[halves.rank - 1] != 2 * plan_.k) return nullptr;
    TRY(group_.add(product));
    TRY(group_.add(act));
    TRY(group_.add(split));
    bool alone = true, within;
    for (const OrtValueInfo* value : {act->output(0), split->output(0), split->output(1)}) {
      TRY(graph_.read_within(value, group_, &within));
      alone = alone && within;
    }
    if (!alone) {
      for (int i = 0; i < 3; ++i)
        group_.pop();
      return nullptr;
    }
    plan_.gate = gate;
    plan_.gated = true;
    plan_.x = split->input(0);
    return nullptr;
  }

  OrtStatus* read_norm(const GraphNode& node) {
    const bool skip = node.is("SkipSimplifiedLayerNormalization", "com.microsoft");
    const bool rms = node.is("RMSNormalization"), layer = node.is("LayerNormalization");
    if (!skip && !rms && !layer) return nullptr;
    int64_t axis = -1;
    if (!skip) TRY(node.attribute("axis", &axis));
    if (axis != -1 || plan_.x != node.output(0) || (skip && (node.input(3) || node.input(4))))
      return nullptr;
    if (node.output(1) || node.output(2)) return nullptr;
    Tensor weight, bias;
    bool floats;
    TRY(float_constant(node.input(skip ? 2 : 1), plan_.k, &weight, &floats));
    if (!floats) return nullptr;
    if (layer && node.input(2)) {
      TRY(float_constant(node.input(2), plan_.k, &bias, &floats));
      if (!floats) return nullptr;
      plan_.norm_bias = node.input(2);
    }
    if (skip) {
      bool alike;
      TRY(same_rank(node.input(0), node.input(1), &alike));
      if (!alike) return nullptr;
    }
    bool within;
    TRY(graph_.read_within(node.output(0), group_, &within));
    if (!within && !is_first_reader(node.output(0))) return nullptr;
    plan_.epsilon = skip ? 1e-12f : 1e-5f;
    TRY(node.attribute("epsilon", &plan_.epsilon));
    plan_.norm = layer ? Norm::layer : Norm::rms;
    plan_.weight = node.input(skip ? 2 : 1);
    if (!within) plan_.normed = node.output(0);
    plan_.x = node.input(0);
    TRY(group_.add(&node));
    if (!skip) return layer ? read_sum() : nullptr;
    plan_.skip = node.input(1);
    plan_.sum = node.output(3);
    return nullptr;
  }

  // Whether two values may have one shape: sums that spread one of them stay with ONNX Runtime.
  OrtStatus* same_rank(const OrtValueInfo* a, const OrtValueInfo* b, bool* alike) {
    Tensor one, other;
    TRY(described(a, &one));
    TRY(described(b, &other));
    *alike = one.shape_known && other.shape_known && one.rank == other.rank;
    for (size_t i = 0; i < one.rank && *alike; ++i)
      *alike = one.shape[i] == other.shape[i];
    return nullptr;
  }

  // Of several products that read a norm, one has it with it: the group that has the first node that
  // reads it.
  bool is_first_reader(const OrtValueInfo* value) const {
    for (const GraphNode* node : graph_.nodes())
      for (const OrtValueInfo* input : node->inputs) {
        if (input != value) continue;
        for (const GraphNode* member : group_)
          if (member == node) return true;
        return false;
      }
    return false;
  }

  // LayerNormalization of a Sum of two.
  OrtStatus* read_sum() {
    const GraphNode* sum = graph_.producer(plan_.x);
    if (!sum || !sum->is("Sum") || sum->inputs.size() != 2) return nullptr;
    bool alike;
    TRY(same_rank(sum->input(0), sum->input(1), &alike));
    if (!alike) return nullptr;
    bool within;
    TRY(graph_.read_within(sum->output(0), group_, &within));
    if (!within && !is_first_reader(sum->output(0))) return nullptr;
    if (!within) plan_.sum = sum->output(0);
    plan_.x = sum->input(0);
    plan_.skip = sum->input(1);
    return group_.add(sum);
  }

  const Graph& graph_;
  const Kernels& kernels_;
  Plan& plan_;
  Array<const GraphNode*>& group_;
};

// ---- the node

struct Product : Node {
  const Kernels* kernels = nullptr;
  Plan plan;  // its values belong to the graph and are gone: only its numbers and enums are used
  bool has_skip = false, has_sum = false, has_normed = false;
  Weights weights;
  AlignedBytes bias, smoothing, weight, norm_bias;
  size_t x_place = 0, skip_place = 0, out_place = 0, sum_place = 0, normed_place = 0;

  struct State {
    const float *x, *skip;
    float *sum, *normed, *out;
    Rows rows;
    float* room;  // [pieces][2 k]: rows on their way
    int64_t count;
  };

  int64_t width() const { return plan.gated ? 2 * plan.k : plan.k; }

  OrtStatus* run(const Call& call) const override {
    State s{};
    TRY(open(call, &s));
    if (s.count == 0) return nullptr;
    TRY(call.run.scratch.take(s.count * weights.padded, &s.rows.values));
    TRY(call.run.scratch.take(s.count * weights.blocks, &s.rows.sums));
    if (plan.rounding != Rounding::fixed)
      TRY(call.run.scratch.take(s.count * weights.blocks, &s.rows.scales));
    s.rows.padded = weights.padded, s.rows.block = weights.block, s.rows.blocks = weights.blocks;
    return s.count >= kPiece * call.threads ? by_rows(call, s) : by_columns(call, s);
  }

  // Many rows: each thread makes some ready and multiplies them while they are in its cache.
  OrtStatus* by_rows(const Call& call, State& s) const {
    const int64_t pieces = (s.count + kPiece - 1) / kPiece;
    TRY(call.run.scratch.take(pieces * 2 * plan.k, &s.room));
    return parallel(
        call, pieces,
        [&](int64_t piece) {
          const int64_t first = piece * kPiece,
                        last = first + kPiece < s.count ? first + kPiece : s.count;
          for (int64_t row = first; row < last; ++row)
            ready(s, row, s.room + piece * 2 * plan.k);
          multiply(s, first, last, 0, weights.panels);
        },
        4);
  }

  // Few rows: one thread makes them ready, and each multiplies them with some of the columns.
  OrtStatus* by_columns(const Call& call, State& s) const {
    TRY(call.run.scratch.take(2 * plan.k, &s.room));
    for (int64_t row = 0; row < s.count; ++row)
      ready(s, row, s.room);
    const int64_t parts = call.threads == 1                   ? 1
                          : call.threads * 4 < weights.panels ? call.threads * 4
                                                              : weights.panels;
    return parallel(
        call, parts,
        [&](int64_t part) {
          multiply(s, 0, s.count, weights.panels * part / parts, weights.panels * (part + 1) / parts);
        },
        4);
  }

  void multiply(const State& s, int64_t first, int64_t last, int64_t first_panel,
                int64_t last_panel) const {
    Rows rows = s.rows;
    rows.values += first * rows.padded, rows.sums += first * rows.blocks;
    if (rows.scales) rows.scales += first * rows.blocks;
    kernels->multiply(&weights, &rows, last - first, s.out + first * weights.n, first_panel, last_panel);
  }

  OrtStatus* open(const Call& call, State* s) const {
    Tensor x, skip;
    TRY(input(call.context, x_place, &x));
    if (x.rank < 1 || x.shape[x.rank - 1] != width())
      return fail("a product of %lld inputs does not fit", (long long)width());
    s->x = x.as<float>();
    s->count = x.count() / width();
    if (has_skip) {
      TRY(input(call.context, skip_place, &skip));
      bool same = skip.rank == x.rank;
      for (size_t i = 0; i < x.rank && same; ++i)
        same = skip.shape[i] == x.shape[i];
      if (!same) return fail("the two parts of a sum differ in shape");
      s->skip = skip.as<float>();
    }
    void *sum = nullptr, *normed = nullptr, *out;
    if (has_sum) TRY(output(call.context, sum_place, x.shape, x.rank, &sum));
    if (has_normed) TRY(output(call.context, normed_place, x.shape, x.rank, &normed));
    x.shape[x.rank - 1] = plan.n;
    TRY(output(call.context, out_place, x.shape, x.rank, &out));
    s->sum = static_cast<float*>(sum), s->normed = static_cast<float*>(normed),
    s->out = static_cast<float*>(out);
    return nullptr;
  }

  // One row, from what comes in to what is multiplied. `room`: two rows of memory.
  void ready(const State& s, int64_t row, float* room) const {
    const int64_t k = plan.k;
    const float* x = s.x + row * width();
    float *sum = s.sum ? s.sum + row * k : room + k, *y = s.normed ? s.normed + row * k : room;
    if (plan.norm != Norm::none) {
      const float* skip = s.skip ? s.skip + row * k : nullptr;
      const float* factors = reinterpret_cast<const float*>(weight.data());
      const float* shift = norm_bias.size() ? reinterpret_cast<const float*>(norm_bias.data()) : nullptr;
      if (plan.norm == Norm::rms)
        kernels->rms_norm(x, skip, factors, plan.epsilon, k, sum, y);
      else
        kernels->layer_norm(x, skip, factors, shift, plan.epsilon, k, sum, y);
      x = y;
    } else if (plan.gate != Gate::none) {
      if (plan.gate == Gate::quick_gelu && plan.gated) {
        kernels->swiglu(x, x + k, plan.alpha, k, y);
      } else if (plan.gate == Gate::quick_gelu) {
        kernels->swiglu(x, nullptr, plan.alpha, k, y);
      } else {
        kernels->gelu(x, plan.gate == Gate::gelu_tanh, k, y);
        if (plan.gated) kernels->times(y, x + k, k, y);
      }
      x = y;
    }
    if (smoothing.size())
      kernels->times(x, reinterpret_cast<const float*>(smoothing.data()), k, room), x = room;
    Rows rows = s.rows;
    if (plan.rounding == Rounding::blocks) return kernels->round_blocks(x, k, &rows, row);
    float scale = plan.scale;
    if (plan.rounding == Rounding::row) {
      scale = kernels->top(x, plan.magnitude, k) * plan.steps;
      scale = rows.scales[row] = scale < plan.least ? plan.least : scale;  // NaN stays
    }
    kernels->round_row(x, k, scale, plan.zero, &rows, row);
  }
};

OrtStatus* copy(const OrtValueInfo* value, AlignedBytes* to) {
  if (!value) return nullptr;
  Tensor t;
  TRY(constant(value, &t));
  const size_t bytes = (size_t)t.count() * sizeof(float);
  TRY(to->resize(bytes));
  memcpy(to->data(), t.data, bytes);
  return nullptr;
}

OrtStatus* pack(Product* p, Arena* arena) {
  const Plan& plan = p->plan;
  Weights& w = p->weights;
  const bool blocks = plan.rounding == Rounding::blocks;
  const int64_t unit = blocks ? plan.block : 16;
  w.n = plan.n, w.k = plan.k, w.bits = (int)plan.bits;
  w.padded = (plan.k + unit - 1) / unit * unit;
  w.block = blocks ? plan.block : w.padded, w.blocks = w.padded / w.block;
  w.panel = p->kernels->panel, w.panels = (plan.n + w.panel - 1) / w.panel;
  const int64_t columns = w.panels * w.panel;
  TRY(arena->take(columns * w.padded * w.bits / 8, &w.data));
  TRY(arena->take(columns * w.blocks, &w.scales));
  TRY(copy(plan.bias, &p->bias));
  if (plan.bias) w.bias = reinterpret_cast<const float*>(p->bias.data());
  Tensor source, scales;
  TRY(constant(plan.multiply->input(1), &source));
  TRY(constant(plan.multiply->input(blocks ? 2 : 3), &scales));
  if (blocks) {
    Tensor zeros;
    TRY(constant(plan.zeros, &zeros));
    if (zeros.data) TRY(arena->take(columns * w.blocks, &w.zeros));
    p->kernels->pack(&w, source.as<uint8_t>(), scales.as<float>(), zeros.as<uint8_t>());
  } else {
    TRY(arena->take(columns, &w.offsets));
    const float scale = plan.rounding == Rounding::fixed ? plan.scale : 1;
    p->kernels->pack_channels(&w, source.as<int8_t>(), scales.as<float>(), scales.count(), scale,
                              128 - plan.zero);
  }
  let_go(source.data, (size_t)(source.count()));
  return nullptr;
}

OrtStatus* claim_product(const Graph& graph, const GraphNode& node, const Options& options,
                         Array<const GraphNode*>* group) {
  Plan plan;
  return Reader(graph, *options.kernels, &plan, group).read(node);
}

OrtStatus* build_product(const Graph& claimed, const GraphNode& node, const Options& options,
                         std::unique_ptr<Node>* built) {
  Product* p = new Product;
  built->reset(p);
  if (!p) return no_memory();
  Array<const GraphNode*> group;
  TRY(Reader(claimed, *options.kernels, &p->plan, &group).read(node));
  p->kernels = options.kernels;
  const Plan& plan = p->plan;
  TRY(claimed.input_place(plan.x, &p->x_place));
  TRY(claimed.output_place(plan.out, &p->out_place));
  p->has_skip = plan.skip, p->has_sum = plan.sum, p->has_normed = plan.normed;
  if (plan.skip) TRY(claimed.input_place(plan.skip, &p->skip_place));
  if (plan.sum) TRY(claimed.output_place(plan.sum, &p->sum_place));
  if (plan.normed) TRY(claimed.output_place(plan.normed, &p->normed_place));
  TRY(copy(plan.smoothing, &p->smoothing));
  TRY(copy(plan.weight, &p->weight));
  TRY(copy(plan.norm_bias, &p->norm_bias));
  return pack(p, options.weights);
}

}  // namespace

const Rule product = {claim_product, build_product, Constants::read_once};
