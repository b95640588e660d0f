// Printing results: a line a benchmark with its median, and then how far ckpt is from the limits.
#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace ckpt::bench {

/// Keeps names as they were registered: without the library's suffixes for the kind of time ("/real_time") and for
/// fixed numbers of iterations.
std::vector<benchmark::BenchmarkReporter::Run> with_stable_names(
    const std::vector<benchmark::BenchmarkReporter::Run>& runs);

/// What `--json FILE` writes.
class JsonReport : public benchmark::JSONReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override { JSONReporter::ReportRuns(with_stable_names(runs)); }
};

/// What the terminal shows.
class TableReport : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override;
  void Finalize() override;

  std::size_t failures() const noexcept { return failures_; }

 private:
  struct Row {
    std::pair<std::int64_t, std::int64_t> order;  // as registered
    std::string name;
    double median = 0;  // nanoseconds, as the next two
    double fastest = 0;
    double slowest = 0;
    std::string rate;
    std::string note;
    bool failed = false;
  };

  void print_rows();
  void print_ratios();
  // A goal of 0 is none.
  void print_times(const std::string& name, const std::string& limit, double at_most);
  void print_share(const std::string& name, const std::string& limit, double at_least);
  void print_time(const std::string& name, double at_most);  // in nanoseconds
  void print_per_tensor(const std::string& name, double tensors, double at_most);

  std::vector<Row> rows_;
  std::map<std::string, double> medians_;  // nanoseconds an iteration
  std::size_t failures_ = 0;
};

}  // namespace ckpt::bench
