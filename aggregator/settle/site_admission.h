// Which sites have rows of their own. Strangers write the Host header, so the number is bounded: past it
// a new site is counted under "(other)".
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace weir {

class SiteAdmission {
 public:
  using NewSites = std::set<std::string, std::less<>>;  // of one commit

  // `stored`: those that the store has.
  SiteAdmission(std::size_t max_sites, const std::vector<std::string>& stored);

  // Whether the site may be a key of its own. Until a commit has brought a new site to the store each
  // commit that uses it carries it, as the one that admitted it may be dropped. `bytes` grows with `carried`.
  [[nodiscard]] bool admit(const std::string& site, NewSites& carried, std::uint64_t& bytes);
  void stored(const std::string& site) { sites_[site] = true; }
  [[nodiscard]] bool knows(const std::string& site) const { return sites_.contains(site); }

 private:
  std::size_t max_sites_;
  std::map<std::string, bool, std::less<>> sites_;  // -> the store has it
};

}  // namespace weir
