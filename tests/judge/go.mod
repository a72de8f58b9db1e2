// Go wants this file here. What the judge is made of is in talos-v1.13.mod and talos-v1.14.mod, one for each contract.
module judge

go 1.26
