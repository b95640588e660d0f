#include "report.hpp"

#include "input.hpp"

#include <algorithm>
#include <cstdio>
#include <ostream>

namespace ckpt::bench {
namespace {

// Columns are laid out with snprintf: iostreams need a line of manipulators for each.
template <typename... Values>
std::string text(const char* format, Values... values) {
  char line[256];
  std::snprintf(line, sizeof(line), format, values...);
  return line;
}

std::string duration(double nanoseconds) {
  if (nanoseconds < 1e3) return text("%.1f ns", nanoseconds);
  if (nanoseconds < 1e6) return text("%.2f us", nanoseconds / 1e3);
  if (nanoseconds < 1e9) return text("%.2f ms", nanoseconds / 1e6);
  return text("%.3f s", nanoseconds / 1e9);
}

std::string rate(const benchmark::UserCounters& counters, double nanoseconds) {
  if (const auto bytes = counters.find("bytes"); bytes != counters.end()) {
    return text("%.2f GB/s", bytes->second.value / nanoseconds);
  }
  return {};
}

// "at most 3: reached".
std::string goal(const char* kind, double value, bool reached) {
  if (value == 0) return {};
  return text("%s %g: %s", kind, value, reached ? "reached" : "missed");
}

}  // namespace

std::vector<benchmark::BenchmarkReporter::Run> with_stable_names(
    const std::vector<benchmark::BenchmarkReporter::Run>& runs) {
  std::vector<benchmark::BenchmarkReporter::Run> renamed = runs;
  for (benchmark::BenchmarkReporter::Run& run : renamed) {
    run.run_name.time_type.clear();
    run.run_name.iterations.clear();
  }
  return renamed;
}

bool TableReport::ReportContext(const Context&) {
  GetOutputStream() << "Measuring. Rounds of all benchmarks are mixed, so results come together at the end (of all "
                       "benchmarks: some minutes).\n"
                    << std::flush;
  return true;
}

void TableReport::ReportRuns(const std::vector<Run>& runs) {
  std::vector<double> times;
  Row row;
  for (const Run& run : with_stable_names(runs)) {
    if (run.run_type != Run::RT_Iteration) continue;
    row.order = {run.family_index, run.per_family_instance_index};
    row.name = run.benchmark_name();
    row.note = run.error_occurred ? "FAILED: " + run.error_message : run.report_label;
    row.failed = row.failed || run.error_occurred;
    if (row.failed) break;
    times.push_back(run.real_accumulated_time * 1e9 / static_cast<double>(run.iterations));
  }
  if (row.name.empty()) return;
  if (!row.failed) {
    std::ranges::sort(times);
    const std::size_t half = times.size() / 2;
    row.median = times.size() % 2 == 1 ? times[half] : (times[half - 1] + times[half]) / 2;
    row.fastest = times.front();
    row.slowest = times.back();
    row.rate = rate(runs.front().counters, row.median);
    medians_[row.name] = row.median;
  }
  failures_ += row.failed ? 1 : 0;
  rows_.push_back(std::move(row));
}

void TableReport::Finalize() {
  print_rows();
  print_ratios();
}

void TableReport::print_rows() {
  std::ranges::sort(rows_, {}, &Row::order);
  GetOutputStream() << text("\n%-24s %11s %25s %12s\n", "benchmark", "median", "fastest - slowest", "rate");
  for (const Row& row : rows_) {
    GetOutputStream() << text("%-24s ", row.name.c_str());
    if (!row.failed) {
      const std::string range = duration(row.fastest) + " - " + duration(row.slowest);
      GetOutputStream() << text("%11s %25s %12s  ", duration(row.median).c_str(), range.c_str(), row.rate.c_str());
    }
    GetOutputStream() << row.note << '\n';
  }
}

void TableReport::print_ratios() {
  GetOutputStream() << "\nratios of medians\n";
  for (const std::int64_t count : kTensorCounts) {
    const double at_most = count <= 1000 ? 2 : count <= 100'000 ? 3 : 5;
    print_times("open_bind_one/" + std::to_string(count), "limit_open", at_most);
  }
  print_times("open_bind_one/100000", "open_bind_one/1000", 3);
  for (const std::int64_t count : kTensorCounts) {
    print_per_tensor("bind_all/" + std::to_string(count), static_cast<double>(count), count >= 1000 ? 100 : 0);
  }
  const std::string many = '/' + std::to_string(kManySmall);
  print_times("save_many" + many, "limit_save_one" + many, 1.3);
  for (const std::int64_t mebibytes : kMebibytes) {
    const std::string size = '/' + std::to_string(mebibytes);
    print_share("save_durable" + size, "limit_write_direct" + size, mebibytes >= 1024 ? 0.8 : 0);
    print_share("save_cached" + size, "limit_write_cached" + size, 0);
    print_times("save_async_stall" + size, "limit_memcpy_all" + size, 1.15);
    print_time("save_async_hand_off" + size, 50e3);
    print_share("read_warm" + size, "limit_sum" + size, 0);
    print_share("read_into" + size, "limit_memcpy_all" + size, 0.9);
    print_share("read_into/verified" + size, "limit_memcpy_all" + size, 0.7);
    print_share("read_cold/mmap" + size, "limit_read_direct" + size, 0.9);
    print_share("read_cold/read" + size, "limit_read_direct" + size, 0.95);
    print_share("restore/copy" + size, "limit_memcpy_all" + size, 0.9);
    print_share("restore/verified" + size, "limit_memcpy_all" + size, 0.7);
    print_share("restore/one_pass" + size, "limit_memcpy_all" + size, 0.7);
    print_share("verify" + size, "limit_xxh3" + size, 0);
  }
  GetOutputStream() << std::flush;
}

void TableReport::print_times(const std::string& name, const std::string& limit, double at_most) {
  if (!medians_.contains(name) || !medians_.contains(limit)) return;
  const double ratio = medians_[name] / medians_[limit];
  GetOutputStream() << text("%-24s takes %6.2f times %-22s %s\n", name.c_str(), ratio, limit.c_str(),
                            goal("at most", at_most, ratio <= at_most).c_str());
}

void TableReport::print_share(const std::string& name, const std::string& limit, double at_least) {
  if (!medians_.contains(name) || !medians_.contains(limit)) return;
  const double ratio = medians_[limit] / medians_[name];
  GetOutputStream() << text("%-24s has   %6.2f of    %-22s %s\n", name.c_str(), ratio, limit.c_str(),
                            goal("at least", at_least, ratio >= at_least).c_str());
}

void TableReport::print_per_tensor(const std::string& name, double tensors, double at_most) {
  if (!medians_.contains(name)) return;
  const double each = medians_[name] / tensors;
  GetOutputStream() << text("%-24s takes %6.0f ns a tensor            %s\n", name.c_str(), each,
                            goal("at most", at_most, each <= at_most).c_str());
}

void TableReport::print_time(const std::string& name, double at_most) {
  if (!medians_.contains(name)) return;
  GetOutputStream() << text("%-24s takes %11s                       ", name.c_str(), duration(medians_[name]).c_str())
                    << "at most " << duration(at_most) << (medians_[name] <= at_most ? ": reached" : ": missed")
                    << '\n';
}

}  // namespace ckpt::bench
