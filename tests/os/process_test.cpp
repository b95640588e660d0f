// The thread of saves in the background, and when it runs.
#include <ckpt/async.hpp>
#include <ckpt/variable.hpp>

#include <catch2/catch.hpp>
#include <sched.h>
#include <support/child.hpp>
#include <support/temp_dir.hpp>

#include <iostream>
#include <string>
#include <thread>

using namespace ckpt;
using namespace ckpt::test;

namespace {

// The policy of a saver that a thread of this policy starts; -1 when the system refuses that.
int policy_of_saver(int policy, int priority) {
  const TempDir dir;
  int found = -1;
  std::thread{[&] {
    const sched_param parameters{.sched_priority = priority};
    if (::sched_setscheduler(0, policy, &parameters) != 0) return;
    Variable<float> value{1};
    const Checkpoint checkpoint{{"v", value}};
    AsyncSaver saver{checkpoint};
    saver.write(dir / "a.ckpt", {.on_durable = [&](const auto&) { found = ::sched_getscheduler(0); }}).durable();
  }}.join();
  return found;
}

}  // namespace

TEST_CASE("a saver does not interrupt a program that has asked for nothing else") {
  struct Policy {
    const char* name;
    int of_program;
    int priority;
    int of_saver;
  };
  for (const Policy& policy : {Policy{"SCHED_OTHER", SCHED_OTHER, 0, SCHED_BATCH},
                               {"SCHED_IDLE", SCHED_IDLE, 0, SCHED_IDLE},
                               {"SCHED_RR", SCHED_RR, 1, SCHED_RR}}) {
    CAPTURE(policy.name);
    const int found = policy_of_saver(policy.of_program, policy.priority);
    if (found == -1) {
      std::cout << kSkipped << policy.name << " is refused" << std::endl;
    } else {
      CHECK(found == policy.of_saver);
    }
  }
}
