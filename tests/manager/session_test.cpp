// TrainingSession: restoring, saving by rules, stopping.
#include "session.hpp"

#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

using namespace ckpt;
using namespace ckpt::test;

TEST_CASE("a session saves at the start, every so many steps, and at the end", "[manager][session]") {
  TempDir dir;
  Program program;
  SessionOptions options = quick_session({.save_steps = 4, .max_steps = 10});
  options.manager.max_to_keep = std::nullopt;
  {
    TrainingSession session{program.checkpoint, program.step, dir / "run", options};
    CHECK_FALSE(session.restored());
    train(session, program);
    CHECK(session.stop_reason() == StopReason::max_steps);
    CHECK(checkpoints_in(dir / "run") == Paths{"model-0.ckpt", "model-10.ckpt", "model-4.ckpt", "model-8.ckpt"});
    session.finish();
  }
  CHECK(scalar_in(dir / "run/model-8.ckpt", "v") == 8);
  CHECK(std::get<std::int64_t>(Reader::open(dir / "run/model-8.ckpt").metadata().at("ckpt.step")) == 8);

  // A run that has its steps returns without training, and writes nothing.
  Program again;
  const Bytes newest = read_file(dir / "run/model-10.ckpt");
  TrainingSession session{again.checkpoint, again.step, dir / "run", options};
  CHECK(*session.restored().path == dir / "run/model-10.ckpt");
  CHECK_FALSE(session.next());
  session.finish();
  CHECK(again.value.value() == 10);
  CHECK(read_file(dir / "run/model-10.ckpt") == newest);
}

TEST_CASE("a step that the checkpoint does not have is noticed", "[manager][session]") {
  TempDir dir;
  for (const bool again : {false, true}) {
    Variable<float> value{0};
    Variable<std::int64_t> step{0};
    Checkpoint checkpoint{{"v", value}};
    const auto start = [&] {
      TrainingSession session{checkpoint, step, dir / "run", quick_session({.save_steps = 5, .max_steps = 10})};
      while (session.next()) ++step;
      session.finish();
    };
    if (!again) {
      start();
      continue;
    }
    CKPT_REQUIRE_ERROR(error, ErrorCode::invalid_argument, start());
    CHECK(contains(error.what(), "step 10"));
    CHECK(contains(error.details().advice, "\"step\""));
  }
}

TEST_CASE("a metric that no report had is said aloud", "[manager][session][early]") {
  TempDir dir;
  Program program;
  LogCapture log;
  TrainingSession session{program.checkpoint, program.step, dir / "run",
                          quick_session({.max_steps = 3, .early_stopping = EarlyStopping{.metric = "loss"}})};
  while (session.next()) {
    program.train();
    session.report({{"los", 1.0}});
  }
  session.finish();
  REQUIRE(log.warnings.size() == 1);
  CHECK(contains(log.warnings[0], "\"loss\""));
}

TEST_CASE("a resumed session goes on where the last checkpoint is", "[manager][session]") {
  TempDir dir;
  {
    Program program;
    TrainingSession session{program.checkpoint, program.step, dir / "run", quick_session({.save_steps = 5})};
    for (int i = 0; i < 8 && session.next(); ++i) program.train();
    CHECK(session.next());  // at step 8: nothing is due
  }  // as if killed: what was not saved is lost
  CHECK(checkpoints_in(dir / "run") == Paths{"model-0.ckpt", "model-5.ckpt"});
  Program program;
  TrainingSession session{program.checkpoint, program.step, dir / "run",
                          quick_session({.save_steps = 5, .max_steps = 12})};
  CHECK(program.step.value() == 5);
  train(session, program);
  CHECK(program.value.value() == 12);
  // Not again at the start; then 10, and 12 at the end.
  CHECK(checkpoints_in(dir / "run") == Paths{"model-0.ckpt", "model-10.ckpt", "model-12.ckpt", "model-5.ckpt"});
}

TEST_CASE("a session saves by time", "[manager][session]") {
  TempDir dir;
  Program program;
  double now = 1000;
  SessionOptions options = quick_session();  // every 600 seconds
  options.manager.clock = [&now] { return now; };
  options.manager.max_to_keep = std::nullopt;
  TrainingSession session{program.checkpoint, program.step, dir / "run", options};
  for (int i = 0; i < 100; ++i) {
    REQUIRE(session.next());
    program.train();
    now += 70;
  }
  // 600 seconds have passed 9 steps after each save.
  Paths expected;
  for (int step = 0; step < 100; step += 9) expected.push_back("model-" + std::to_string(step) + ".ckpt");
  std::ranges::sort(expected);
  CHECK(checkpoints_in(dir / "run") == expected);
}

TEST_CASE("metrics are recorded with the checkpoint of their step alone", "[manager][session][metrics]") {
  TempDir dir;
  Program program;
  TrainingSession session{program.checkpoint, program.step, dir / "run", quick_session({.save_steps = 2})};
  for (int i = 0; i < 5; ++i) {
    REQUIRE(session.next());
    program.train();
    if (program.step.value() % 2 == 0) continue;
    session.report({{"loss", 0.5}});
  }
  session.report({{"accuracy", 0.25}});
  session.finish();
  CHECK_FALSE(Reader::open(dir / "run/model-4.ckpt").metadata().contains("ckpt.metric.loss"));
  const Metadata last = Reader::open(dir / "run/model-5.ckpt").metadata();
  CHECK(std::get<double>(last.at("ckpt.metric.loss")) == 0.5);
  CHECK(std::get<double>(last.at("ckpt.metric.accuracy")) == 0.25);
}

TEST_CASE("early stopping ends with the best", "[manager][session][early]") {
  TempDir dir;
  const std::vector<double> losses{9, 5, 6, 4.95, 4, 5, 3.95, 5, 1};
  const bool interrupted = GENERATE(false, true);
  CAPTURE(interrupted);
  SessionOptions options =
      quick_session({.save_steps = 1, .early_stopping = EarlyStopping{"loss", Better::lower, 3, 0.1}});
  options.manager.max_to_keep = 1;
  const auto run = [&](std::size_t steps) {
    Program program;
    TrainingSession session{program.checkpoint, program.step, dir / "run", options};
    while (steps-- > 0 && session.next()) {
      const auto step = static_cast<std::size_t>(program.step.value());
      program.train();
      session.report({{"loss", losses[step]}});
    }
    if (session.stop_reason() == StopReason::none) return -1.0F;
    session.finish();
    CHECK(session.stop_reason() == StopReason::early_stopping);
    CHECK(*session.manager().best("loss") == dir / "run/model-7.ckpt");
    return program.value.value();
  };
  if (interrupted) {
    CHECK(run(4) == -1);
    CHECK(run(3) == -1);
  }
  // 4 at the 5th step is the last improvement by more than 0.1, and three reports without one end it at the 8th. The
  // best is the 7th all the same.
  CHECK(run(100) == 7);
  CHECK(checkpoints_in(dir / "run") == Paths{"model-7.ckpt", "model-8.ckpt"});
  CHECK(scalar_in(dir / "run/model-8.ckpt", "v") == 8);
}

TEST_CASE("a higher metric may be the better one, and one that is not a number never is", "[manager][session][early]") {
  TempDir dir;
  Program program;
  TrainingSession session{program.checkpoint, program.step, dir / "run",
                          quick_session({.early_stopping = EarlyStopping{"accuracy", Better::higher, 2, 0, false}})};
  for (const double accuracy : {0.1, 0.2, std::numeric_limits<double>::quiet_NaN(), 0.3, 0.3}) {
    REQUIRE(session.next());
    program.train();
    session.report({{"other", 0.0}, {"accuracy", accuracy}});
  }
  REQUIRE(session.next());
  program.train();
  session.report({{"accuracy", 0.25}});
  CHECK(session.should_stop());
  session.finish();
  CHECK(program.value.value() == 6);  // without restore_best the last state stays
  CHECK(checkpoints_in(dir / "run") == Paths{"model-0.ckpt", "model-6.ckpt"});
  program.checkpoint.save(dir / "after", quick());  // the checkpoint is good for more when the session is gone
}

TEST_CASE("listeners hear of everything, and may stop", "[manager][session][listener]") {
  struct Recorder : SessionListener {
    explicit Recorder(std::vector<std::string>& words) : words_{words} {}
    void begin() override { words_.emplace_back("begin"); }
    void before_save(std::int64_t step) override { words_.push_back("before " + std::to_string(step)); }
    bool after_save(std::int64_t step, const std::filesystem::path& path) override {
      words_.push_back(path.filename().string());
      return step == 4;
    }
    void end(std::int64_t step) override { words_.push_back("end " + std::to_string(step)); }
    std::vector<std::string>& words_;
  };
  TempDir dir;
  Program program;
  std::vector<std::string> words;
  TrainingSession session{program.checkpoint, program.step, dir / "run",
                          quick_session({.save_steps = 2, .listeners = {std::make_shared<Recorder>(words)}})};
  train(session, program);
  CHECK(session.stop_reason() == StopReason::listener);
  CHECK(words == std::vector<std::string>{"begin", "before 0", "model-0.ckpt", "before 2", "model-2.ckpt", "before 4",
                                          "model-4.ckpt", "end 4"});
}

TEST_CASE("a session without checkpoints, and one that is asked to stop", "[manager][session]") {
  TempDir dir;
  Program program;
  TrainingSession session{program.checkpoint, program.step, dir / "run",
                          quick_session({.save_steps = 1, .checkpoints = false})};
  for (int i = 0; i < 3; ++i) {
    REQUIRE(session.next());
    program.train();
  }
  CHECK(session.save() == dir / "run/model-3.ckpt");
  session.request_stop();
  train(session, program);
  CHECK(program.step.value() == 3);
  CHECK(session.stop_reason() == StopReason::requested);
  CHECK(checkpoints_in(dir / "run") == Paths{"model-3.ckpt"});
  CHECK_FALSE(session.next());
}

TEST_CASE("options that are wrong", "[manager][session]") {
  TempDir dir;
  Program program;
  const auto refused = [&](SessionOptions options) {
    CKPT_CHECK_CODE(ErrorCode::invalid_argument,
                    TrainingSession(program.checkpoint, program.step, dir / "run", std::move(options)));
  };
  refused(quick_session({.save_seconds = 1, .save_steps = 1}));
  refused(quick_session({.save_seconds = -1}));
  refused(quick_session({.save_steps = 0}));
  refused(quick_session({.early_stopping = EarlyStopping{""}}));
  refused(quick_session({.early_stopping = EarlyStopping{"", Better::lower, 1, 0, false}}));
  refused(quick_session({.early_stopping = EarlyStopping{"loss", Better::lower, 0}}));
  for (const double bad : {-1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    refused(quick_session({.early_stopping = EarlyStopping{"loss", Better::lower, 1, bad}}));
  }
  refused(quick_session({.listeners = {nullptr}}));
  SessionOptions skips = quick_session();
  skips.manager.checkpoint_interval = 2;
  refused(skips);
  CKPT_CHECK_CODE(ErrorCode::invalid_argument,
                  TrainingSession(program.checkpoint, Variable<std::int64_t>{}, dir / "run", quick_session()));
  const Checkpoint moved{std::move(program.checkpoint)};
  refused(quick_session());
  refused(quick_session({.early_stopping = EarlyStopping{"loss"}}));
  CHECK(names_in(dir.path()).empty());
}

TEST_CASE("a report whose save fails may be made again", "[manager][session][early]") {
  struct Fails : SessionListener {
    void before_save(std::int64_t step) override {
      if (step == 1 && !std::exchange(failed_, true)) throw std::runtime_error("no");
    }
    bool failed_ = false;
  };
  TempDir dir;
  Program program;
  TrainingSession session{program.checkpoint, program.step, dir / "run",
                          quick_session({.save_steps = 100,
                                         .early_stopping = EarlyStopping{"loss", Better::lower, 2},
                                         .listeners = {std::make_shared<Fails>()}})};
  REQUIRE(session.next());
  program.train();
  CHECK_THROWS_AS(session.report({{"loss", 0.1}}), std::runtime_error);
  session.report({{"loss", 0.1}});
  CHECK(*session.manager().best("loss") == dir / "run/model-1.ckpt");
  program.train();
  session.finish();
  CHECK(program.value.value() == 1);
}

TEST_CASE("saving a restored step again keeps what was measured of it", "[manager][session][metrics]") {
  TempDir dir;
  const SessionOptions options =
      quick_session({.save_steps = 1, .early_stopping = EarlyStopping{"loss", Better::lower, 5}});
  {
    Program program;
    TrainingSession session{program.checkpoint, program.step, dir / "run", options};
    session.next();
    program.train();
    session.report({{"loss", 0.1}});
  }
  Program program;
  TrainingSession session{program.checkpoint, program.step, dir / "run", options};
  CHECK(session.save() == dir / "run/model-1.ckpt");
  CHECK(session.manager().best("loss") == dir / "run/model-1.ckpt");
}

TEST_CASE("a run that early stopping has ended does not begin again", "[manager][session][early]") {
  TempDir dir;
  const SessionOptions options =
      quick_session({.save_steps = 1, .early_stopping = EarlyStopping{"loss", Better::lower, 2}});
  for (int start = 0; start < 3; ++start) {
    CAPTURE(start);
    Program program;
    TrainingSession session{program.checkpoint, program.step, dir / "run", options};
    while (session.next()) {
      program.train();
      session.report({{"loss", static_cast<double>(program.step.value())}});
    }
    CHECK(program.step.value() == 3);
    CHECK(session.stop_reason() == StopReason::early_stopping);
    session.finish();
    CHECK(program.step.value() == 1);
  }
}

TEST_CASE("finishing goes on where it failed, also from another directory", "[manager][session]") {
  struct Fails : SessionListener {
    void end(std::int64_t /*step*/) override {
      if (++calls == 1) throw std::runtime_error("no");
    }
    int calls = 0;
  };
  TempDir dir;
  const std::filesystem::path home = std::filesystem::current_path();
  std::filesystem::current_path(dir.path());
  Program program;
  const auto listener = std::make_shared<Fails>();
  TrainingSession session{program.checkpoint, program.step, "run",
                          quick_session({.early_stopping = EarlyStopping{"loss"}, .listeners = {listener}})};
  session.next();
  program.train();
  session.report({{"loss", 1}});
  program.train();
  std::filesystem::current_path(home);
  CHECK_THROWS_AS(session.finish(), std::runtime_error);
  session.finish();
  session.finish();
  CHECK(listener->calls == 2);
  CHECK(program.step.value() == 1);
  CHECK(checkpoints_in(dir / "run") == Paths{"model-0.ckpt", "model-1.ckpt", "model-2.ckpt"});
}

TEST_CASE("early stopping goes on in a program that restores views", "[manager][session][early]") {
  TempDir dir;
  std::int64_t memory = 0;
  for (const std::int64_t last : {3, 6}) {
    auto step = Variable<std::int64_t>::wrap({}, std::span{&memory, 1});
    Checkpoint checkpoint{{"step", step}};
    SessionOptions options = quick_session({.save_steps = 1, .max_steps = last});
    options.early_stopping = EarlyStopping{.metric = "loss", .patience = 10};
    options.manager.restore.binding = Binding::view;
    TrainingSession session{checkpoint, step, dir / "run", options};
    while (session.next()) {
      ++step;
      session.report({{"loss", 1.0}});
    }
    session.finish();
  }
}
