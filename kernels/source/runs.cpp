#include "runs.h"

namespace {

void delete_all(Run* run, Run* Run::* next) {
  while (run) {
    Run* after = run->*next;
    delete run;
    run = after;
  }
}

}  // namespace

Runs::~Runs() {
  delete_all(active_, &Run::next_);
  delete_all(idle_, &Run::next_);
}

OrtStatus* Runs::start(const uint8_t* flag) {
  Locked locked(mutex_);
  Run* run;
  TRY(activate(&run));
  run->thread_ = this_thread();
  run->flag_ = flag;
  return nullptr;
}

void Runs::end() {
  Locked locked(mutex_);
  if (Run* run = of_this_thread()) retire(run);
}

OrtStatus* Runs::enter(Run** run) {
  Locked locked(mutex_);
  *run = of_this_thread();
  if (*run) return nullptr;

  const Run* only = nullptr;
  int count = 0;
  for (const Run* other = active_; other; other = other->next_) {
    if (other->lent_) continue;
    only = other;
    ++count;
  }
  TRY(activate(run));
  (*run)->lent_ = true;
  if (count != 1) return nullptr;
  (*run)->flag_ = only->flag_;
  (*run)->stopped_ = only->stopped_;
  return nullptr;
}

void Runs::leave(Run* run) {
  if (!run->lent_) return;  // it ends with `end`
  Locked locked(mutex_);
  retire(run);
}

void Runs::stop_all() {
  Locked locked(mutex_);
  for (Run* run = active_; run; run = run->next_)
    __atomic_store_n(&run->stopped_, true, __ATOMIC_RELAXED);
}

Run* Runs::of_this_thread() const {
  for (Run* run = active_; run; run = run->next_) {
    if (!run->lent_ && run->thread_ == this_thread()) return run;
  }
  return nullptr;
}

OrtStatus* Runs::activate(Run** run) {
  *run = idle_ ? idle_ : new Run;
  if (!*run) return no_memory();
  if (*run == idle_) idle_ = idle_->next_;
  (*run)->lent_ = (*run)->stopped_ = false;
  (*run)->flag_ = nullptr;
  (*run)->next_ = active_;
  active_ = *run;
  return nullptr;
}

void Runs::retire(Run* run) {
  Run** link = &active_;
  while (*link != run)
    link = &(*link)->next_;
  *link = run->next_;
  run->next_ = idle_;
  idle_ = run;
}
