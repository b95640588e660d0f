// ckpt_bench: the microbenchmarks of ckpt, each beside the limit of the machine that it cannot pass, in one run.
#include "input.hpp"
#include "machine.hpp"
#include "report.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr const char* kUsage = R"(usage: ckpt_bench [--dir FOLDER] [--json FILE] [--benchmark_...]

  --dir FOLDER   where to write (about 5 GB; removed at the end); else the environment variable CKPT_BENCH_DIR,
                 else the folder of this program. Choose one on the file system to be measured.
  --json FILE    also write every result to FILE
  --benchmark_filter=REGEX          only these, for example 'open|limit_open' or 'save_durable/64$'
  --benchmark_repetitions=N         rounds (7), of which the median counts
  --benchmark_list_tests=true       what there is; --help prints all options of Google Benchmark
)";

struct Options {
  std::filesystem::path folder;
  bool json = false;
  bool help = false;
  bool list = false;
  std::vector<std::string> arguments;  // for Google Benchmark
};

std::filesystem::path default_folder() {
  if (const char* folder = std::getenv("CKPT_BENCH_DIR"); folder != nullptr && *folder != '\0') return folder;
  return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

// Google Benchmark adds these to names that are measured by the clock, or a fixed number of times; here nobody needs to
// know that.
constexpr std::string_view kSuffixes[] = {"/iterations:", "/real_time"};
constexpr std::string_view kSuffixPattern = "(/iterations:[0-9]+)?(/real_time)?";

std::string with_suffix_allowed(std::string_view filter) {
  std::string result;
  for (const char c : filter) {
    if (c == '$') result.append(kSuffixPattern);
    result += c;
  }
  return result;
}

std::optional<Options> parse(int argc, char** argv) {
  Options options;
  options.folder = default_folder();
  // Rounds of all benchmarks are mixed, so that a slow minute of the machine hits ckpt and limits alike.
  options.arguments = {argv[0], "--benchmark_repetitions=7", "--benchmark_enable_random_interleaving=true",
                       "--benchmark_min_time=0.1"};
  const std::string_view filter = "--benchmark_filter=";
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const bool has_value = i + 1 < argc;
    if (argument == "--dir" && has_value) {
      options.folder = argv[++i];
    } else if (argument == "--json" && has_value) {
      options.arguments.push_back(std::string{"--benchmark_out="} + argv[++i]);
      options.json = true;
    } else if (argument.starts_with(filter)) {
      options.arguments.push_back(std::string{filter} + with_suffix_allowed(argument.substr(filter.size())));
    } else if (argument.starts_with("--")) {
      options.json = options.json || argument.starts_with("--benchmark_out=");
      options.help = options.help || argument == "--help";
      options.list = options.list || argument == "--benchmark_list_tests" || argument == "--benchmark_list_tests=true";
      options.arguments.emplace_back(argument);
    } else {
      std::cerr << "ckpt_bench: cannot use the argument " << argument << '\n' << kUsage;
      return std::nullopt;
    }
  }
  return options;
}

void initialise_library(Options& options) {
  std::vector<char*> arguments;
  arguments.reserve(options.arguments.size() + 1);
  for (std::string& argument : options.arguments) arguments.push_back(argument.data());
  auto count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  if (options.help) std::cout << kUsage << '\n';
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) std::exit(2);
}

int list() {
  std::ostringstream names;
  ckpt::bench::TableReport report;
  report.SetOutputStream(&names);
  benchmark::RunSpecifiedBenchmarks(&report);
  std::istringstream lines{names.str()};
  for (std::string line; std::getline(lines, line);) {
    for (const std::string_view suffix : kSuffixes) line.resize(std::min(line.size(), line.find(suffix)));
    std::cout << line << '\n';
  }
  return 0;
}

int run(Options& options) {
  initialise_library(options);
  if (options.list) return list();
  const ckpt::bench::WorkFolder folder{options.folder};
  ckpt::bench::set_work_folder(folder.path());
  for (const auto& [name, value] : ckpt::bench::describe_machine(folder.path())) {
    std::cout << name << ": " << value << '\n';
    benchmark::AddCustomContext(name, value);
  }
  std::cout << std::endl;

  ckpt::bench::TableReport table;
  ckpt::bench::JsonReport json;
  const std::size_t done =
      options.json ? benchmark::RunSpecifiedBenchmarks(&table, &json) : benchmark::RunSpecifiedBenchmarks(&table);
  return done > 0 && table.failures() == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::optional<Options> options = parse(argc, argv);
    return options ? run(*options) : 2;
  } catch (const std::exception& error) {
    std::cerr << "ckpt_bench: " << error.what() << '\n';
    return 1;
  }
}
