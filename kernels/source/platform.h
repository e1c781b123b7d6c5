// The little that differs from one system to the next.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>

#define EXPORTED __declspec(dllexport)

class Mutex {
 public:
  void lock() { AcquireSRWLockExclusive(&lock_); }
  void unlock() { ReleaseSRWLockExclusive(&lock_); }

 private:
  SRWLOCK lock_ = SRWLOCK_INIT;
};

inline uintptr_t this_thread() { return GetCurrentThreadId(); }

#else
#include <pthread.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#define EXPORTED __attribute__((visibility("default")))

class Mutex {
 public:
  void lock() { pthread_mutex_lock(&mutex_); }
  void unlock() { pthread_mutex_unlock(&mutex_); }

 private:
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

inline uintptr_t this_thread() { return (uintptr_t)pthread_self(); }

#endif

// Tells the system that pages of a file that was read once need not stay in memory. Harmless for any
// memory: what has no file behind it stays.
inline void let_go(const void* memory, size_t bytes) {
#if defined(__linux__) && defined(MADV_PAGEOUT)
  const uintptr_t page = 4096, first = ((uintptr_t)memory + page - 1) / page * page;
  const uintptr_t last = ((uintptr_t)memory + bytes) / page * page;
  if (first < last) madvise((void*)first, last - first, MADV_PAGEOUT);
#else
  (void)memory, (void)bytes;
#endif
}

// Asks for large pages; `memory` starts at one.
inline void in_large_pages(void* memory, size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  madvise(memory, bytes, MADV_HUGEPAGE);
#else
  (void)memory, (void)bytes;
#endif
}

class Locked {
 public:
  explicit Locked(Mutex& mutex) : mutex_(mutex) { mutex_.lock(); }
  ~Locked() { mutex_.unlock(); }
  Locked(const Locked&) = delete;

 private:
  Mutex& mutex_;
};
