// Memory whose lack is an error like any other. The library is built without exceptions, where the C++
// library's own containers would end the program; none of them, and no object of that library, is used.
#pragma once
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <type_traits>

#include "status.h"

// What derives from this is made with `new`, which gives nullptr where there is no memory.
struct Allocated {
  static void* operator new(size_t bytes) noexcept { return malloc(bytes); }
  static void operator delete(void* memory) { free(memory); }
};

// A list of plain values.
template <class T>
class Array {
  static_assert(std::is_trivially_copyable_v<T>, "moved by realloc");

 public:
  Array() = default;
  ~Array() { free(items_); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  // New items are zero.
  OrtStatus* resize(size_t size) {
    TRY(reserve(size));
    if (size > size_) memset(static_cast<void*>(items_ + size_), 0, (size - size_) * sizeof(T));
    size_ = size;
    return nullptr;
  }

  OrtStatus* add(T item) {
    if (size_ == room_) TRY(reserve(size_ ? 2 * size_ : 8));
    items_[size_++] = item;
    return nullptr;
  }

  void pop() { --size_; }
  void clear() { size_ = 0; }
  size_t size() const { return size_; }
  T* data() { return items_; }
  const T* data() const { return items_; }
  T& operator[](size_t place) { return items_[place]; }
  const T& operator[](size_t place) const { return items_[place]; }
  T* begin() { return items_; }
  T* end() { return items_ + size_; }
  const T* begin() const { return items_; }
  const T* end() const { return items_ + size_; }

 private:
  OrtStatus* reserve(size_t room) {
    if (room <= room_) return nullptr;
    if (room > SIZE_MAX / sizeof(T)) return no_memory();
    void* items = realloc(static_cast<void*>(items_), room * sizeof(T));
    if (!items) return no_memory();
    items_ = static_cast<T*>(items);
    room_ = room;
    return nullptr;
  }

  T* items_ = nullptr;
  size_t size_ = 0, room_ = 0;
};

// Bytes that start at a cache line, for what vector instructions read.
class AlignedBytes {
 public:
  AlignedBytes() = default;
  ~AlignedBytes() { free(memory_); }
  AlignedBytes(const AlignedBytes&) = delete;
  AlignedBytes& operator=(const AlignedBytes&) = delete;

  // Forgets what was there before.
  OrtStatus* resize(size_t bytes) {
    free(memory_);
    size_ = 0;
    memory_ = bytes <= SIZE_MAX - kLine ? malloc(bytes + kLine) : nullptr;
    if (!memory_) return no_memory();
    size_ = bytes;
    return nullptr;
  }

  size_t size() const { return size_; }
  uint8_t* data() const {
    return reinterpret_cast<uint8_t*>((reinterpret_cast<uintptr_t>(memory_) + kLine - 1) / kLine * kLine);
  }

 private:
  static constexpr size_t kLine = 64;
  void* memory_ = nullptr;
  size_t size_ = 0;
};

// What a node needs while it runs and no longer. The memory is kept from node to node and from run to
// run, so that nothing is allocated once the largest node has been seen.
class Scratch {
 public:
  Scratch() = default;
  ~Scratch() { release(); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  // Called before a node runs. What was taken before is lost.
  void start() {
    if (last_ && last_->before) release();  // the next take makes one block of the size of all
    used_ = taken_ = 0;
  }

  // Room for `count` values of T, from a cache line on, until the node ends. It holds anything at first.
  template <class T>
  OrtStatus* take(int64_t count, T** to) {
    if (count < 0 || (uint64_t)count > (SIZE_MAX / 2) / sizeof(T)) return no_memory();
    size_t bytes = ((size_t)count * sizeof(T) + 63) / 64 * 64;
    if (!last_ || bytes > last_->bytes.size() - used_) TRY(add_block(bytes));
    *to = reinterpret_cast<T*>(last_->bytes.data() + used_);
    used_ += bytes;
    taken_ += bytes;
    if (taken_ > most_) most_ = taken_;
    return nullptr;
  }

 private:
  // Full blocks stay where they are: the node holds pointers into them.
  struct Block : Allocated {
    AlignedBytes bytes;
    Block* before = nullptr;
  };

  OrtStatus* add_block(size_t bytes) {
    Block* block = new Block;
    if (!block) return no_memory();
    if (OrtStatus* status = block->bytes.resize(bytes > most_ ? bytes : most_)) {
      delete block;
      return status;
    }
    block->before = last_;
    last_ = block;
    used_ = 0;
    return nullptr;
  }

  void release() {
    while (last_) {
      Block* before = last_->before;
      delete last_;
      last_ = before;
    }
  }

  Block* last_ = nullptr;
  size_t used_ = 0;   // bytes of the last block
  size_t taken_ = 0;  // bytes of this node
  size_t most_ = 0;   // bytes of the largest node so far
};
