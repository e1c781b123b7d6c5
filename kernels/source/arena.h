// Memory for packed weights, in large pages where the system has them: a step reads every weight once,
// and with small pages a processor spends most of that time on finding them.
#pragma once
#include "memory.h"
#include "platform.h"

class Arena {
 public:
  Arena() = default;
  ~Arena() {
    for (void* block : blocks_)
      free(block);
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Room for `count` values of T, from a cache line on, as long as the arena lives.
  template <class T>
  OrtStatus* take(int64_t count, T** to) {
    if (count < 0 || (uint64_t)count > (SIZE_MAX / 2) / sizeof(T)) return no_memory();
    const size_t bytes = ((size_t)count * sizeof(T) + 63) / 64 * 64;
    if (bytes > left_) TRY(add_block(bytes));
    *to = reinterpret_cast<T*>(next_);
    next_ += bytes;
    left_ -= bytes;
    return nullptr;
  }

 private:
  static constexpr size_t kLargePage = 2 << 20, kBlock = 64 << 20;  // what is not touched takes no memory

  OrtStatus* add_block(size_t bytes) {
    const size_t size = ((bytes > kBlock ? bytes : kBlock) + kLargePage - 1) / kLargePage * kLargePage;
    void* memory = malloc(size + kLargePage);
    if (!memory) return no_memory();
    if (OrtStatus* status = blocks_.add(memory)) {
      free(memory);
      return status;
    }
    next_ = reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(memory) + kLargePage - 1) /
                                       kLargePage * kLargePage);
    left_ = size;
    in_large_pages(next_, size);
    return nullptr;
  }

  Array<void*> blocks_;
  uint8_t* next_ = nullptr;
  size_t left_ = 0;
};
