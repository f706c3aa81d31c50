// Decides which sites get rows of their own. Clients choose the Host header, so the number is bounded: beyond
// it, new sites are counted as "(other)".
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

  // `stored`: the sites that the store already has.
  SiteAdmission(std::size_t max_sites, const std::vector<std::string>& stored);

  // Whether the site may be a key of its own. Every commit that uses a new site carries it until one of them
  // reaches the store, because the commit that first admitted it may be dropped. `bytes` grows with
  // `carried`.
  [[nodiscard]] bool admit(const std::string& site, NewSites& carried, std::uint64_t& bytes);
  void stored(const std::string& site) { sites_[site] = true; }
  [[nodiscard]] bool knows(const std::string& site) const { return sites_.contains(site); }

 private:
  std::size_t max_sites_;
  std::map<std::string, bool, std::less<>> sites_;  // -> whether the store has it
};

}  // namespace weir
