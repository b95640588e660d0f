#include "graph/restore_rules.hpp"

#include "graph/walk.hpp"

#include <ckpt/error.hpp>

#include <algorithm>

namespace ckpt::graph {

RestoreRules::RestoreRules(const RestoreOptions& options) {
  for (const Rename& rename : options.renames) {
    Renaming renaming{PathPattern{rename.program}, std::nullopt};
    if (!rename.file.empty()) renaming.file.emplace(rename.file);
    if (renaming.program.is_everything() || (renaming.file && renaming.file->is_everything())) {
      throw Error{ErrorCode::invalid_argument,
                  {.problem = "a rename cannot be of everything",
                   .found = rename.program + " from " + rename.file,
                   .advice = "say with RestoreOptions::root which object of the file stands for the whole"}};
    }
    if (renaming.file && renaming.program.stars() != renaming.file->stars()) {
      throw Error{
          ErrorCode::invalid_argument,
          {.problem = "the two patterns of a rename differ in how many '*' they have",
           .object = rename.program,
           .expected = std::to_string(renaming.program.stars()) + " in the pattern for the file",
           .found = rename.file,
           .advice = "each '*' of the file's pattern stands for what the one of the program's pattern matched"}};
    }
    renames_.push_back(std::move(renaming));
  }
  for (const MismatchRule& rule : options.on_mismatch) mismatches_.emplace_back(PathPattern{rule.pattern}, rule.action);
}

std::optional<RestoreRules::Renamed> RestoreRules::renamed(std::string_view path) const {
  const auto names = split_path(path);
  for (std::size_t i = 0; i < renames_.size(); ++i) {
    const Renaming& renaming = renames_[i];
    if (const auto parts = renaming.program.match(names)) {
      return Renamed{i, renaming.file ? renaming.file->expand(*parts) : std::string{}};
    }
  }
  return std::nullopt;
}

bool RestoreRules::renames_below(std::string_view path) const {
  const auto names = split_path(path);
  return std::ranges::any_of(renames_, [&](const Renaming& renaming) { return renaming.program.leads_below(names); });
}

std::string describe_idle(std::span<const Rename> renames) {
  std::vector<std::string> texts;
  for (const Rename& rename : renames) {
    texts.push_back(rename.program + " from " + (rename.file.empty() ? "nowhere" : rename.file));
  }
  return "renames without effect: " + list_paths(texts);
}

OnMismatch RestoreRules::on_mismatch(std::string_view path) const {
  const auto names = split_path(path);
  const auto rule = std::ranges::find_if(mismatches_, [&](const auto& entry) { return entry.first.covers(names); });
  return rule == mismatches_.end() ? OnMismatch::error : rule->second;
}

}  // namespace ckpt::graph
